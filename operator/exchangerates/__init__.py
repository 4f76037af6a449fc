"""The exchange-rate operator: publishes exchange rates as ConfigMaps that ExchangeRate objects own."""
