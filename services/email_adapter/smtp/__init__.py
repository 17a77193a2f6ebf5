"""Mail coming in by SMTP (RFC 5321): whoever has mail for our accounts brings it here."""
