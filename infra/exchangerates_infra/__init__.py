"""The Pulumi component and program that provision the exchange-rate operator."""
