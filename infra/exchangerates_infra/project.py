"""What the project is called and where it is."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = "exchange-rate-operator"
"""The Pulumi project's name, and with it the namespace of its config keys."""
OPERATOR: Final = "exchange-rate-operator"
"""The name of the operator's Deployment, ServiceAccount and Secret."""
