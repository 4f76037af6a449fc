"""A real Kubernetes control plane on loopback, for laptops and CI runners that have none."""
