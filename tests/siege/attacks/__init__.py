"""One file per attack: `TARGET`, the service that is attacked, and `attack`, which ends by itself when it is cancelled."""
