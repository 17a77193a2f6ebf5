"""Kafka: records on it, whoever writes them and whoever reads them."""
