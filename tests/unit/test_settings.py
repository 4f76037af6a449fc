"""The environment of the process."""

import pytest

from exchangerates.api import Env
from exchangerates.errors import SettingsError
from exchangerates.settings import Settings


def test_nothing_set_means_the_documented_defaults() -> None:
    """A bare `python -m exchangerates` works."""
    settings = Settings.from_environment({})
    assert settings.defaults.base == "EUR"
    assert settings.defaults.providers == ("frankfurter", "ecb")
    assert (settings.defaults.refresh_interval_s, settings.defaults.max_age_s) == (3600.0, 604800.0)
    assert (settings.http_host, settings.http_port, settings.log_level) == ("", 8080, "INFO")
    assert settings.watch_namespaces == ()
    assert settings.deployment is None


def test_everything_can_be_set() -> None:
    """Every variable reaches its field."""
    settings = Settings.from_environment(
        {
            Env.BASE: "USD",
            Env.PROVIDERS: "ecb, exchangeratesapi",
            Env.MIN_FETCH_INTERVALS: "exchangeratesapi=12h,ecb=30m",
            Env.PROVIDER_URLS: "ecb=https://rates.example.com/",
            Env.EXCHANGERATESAPI_KEY: " planted-key\n",
            Env.DEPLOYMENT: "rates/operator",
            Env.WATCH_NAMESPACES: "a,b",
            Env.INSTALL_CRD: "true",
            Env.HTTP_ADDRESS: "[::1]:0",
            Env.LOG_FORMAT: "text",
        }
    )
    assert settings.defaults.providers == ("ecb", "exchangeratesapi")
    assert settings.min_fetch_intervals_s == {"exchangeratesapi": 43200.0, "ecb": 1800.0}
    assert settings.provider_urls == {"ecb": "https://rates.example.com"}
    assert settings.api_keys == {"exchangeratesapi": "planted-key"}
    assert settings.deployment == ("rates", "operator")
    assert settings.watch_namespaces == ("a", "b")
    assert (settings.install_crd, settings.http_host, settings.http_port) == (True, "::1", 0)


def test_all_mistakes_come_at_once() -> None:
    """Each with its variable, its value and what to write."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(
            {
                Env.BASE: "eur",
                Env.PROVIDERS: "fixer",
                Env.MAX_AGE: "7d",
                Env.HTTP_ADDRESS: "8080",
                Env.LOG_LEVEL: "LOUD",
                Env.DEPLOYMENT: "operator",
            }
        )
    for variable in (Env.BASE, Env.PROVIDERS, Env.MAX_AGE, Env.HTTP_ADDRESS, Env.LOG_LEVEL, Env.DEPLOYMENT):
        assert f"{variable}=" in str(caught.value)


def test_a_provider_that_needs_a_key_asks_for_it() -> None:
    """Rather than failing at the first fetch."""
    with pytest.raises(SettingsError, match=Env.EXCHANGERATESAPI_KEY):
        Settings.from_environment({Env.PROVIDERS: "exchangeratesapi"})


def test_the_key_is_not_shown() -> None:
    """Settings may end in a log."""
    settings = Settings.from_environment({Env.EXCHANGERATESAPI_KEY: "planted-key"})
    assert "planted-key" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [(Env.MIN_FETCH_INTERVALS, "ecb=1h,ecb=2h"), (Env.MAX_CALLS_PER_DAY, "ecb=9,frankfurter=9,ecb=9")],
)
def test_a_provider_is_named_once(variable: Env, value: str) -> None:
    """Which of the two is meant nobody knows."""
    with pytest.raises(SettingsError, match=f"{variable}='{value}': write ecb only once$"):
        Settings.from_environment({variable: value})


@pytest.mark.parametrize("address", ["rates", "ftp://rates", "http://", "http://:80", "http://x:0", "http://x:99999"])
def test_an_address_that_leads_nowhere_is_told(address: str) -> None:
    """Rather than by a call that can never be answered."""
    with pytest.raises(SettingsError, match=f"PROVIDER_URLS='{address}': write an address such as"):
        Settings.from_environment({Env.PROVIDER_URLS: f"frankfurter=https://[::1]:8443/v1,ecb={address}"})
