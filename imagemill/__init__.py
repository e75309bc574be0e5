"""What every part of the service agrees on: the domain, the ports, and the adapters behind them."""
