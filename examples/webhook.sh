#!/usr/bin/env bash
# Post a message to a local stack's webhook channel, signed as https://www.standardwebhooks.com says.
# examples/webhook.sh [TEXT] [PERSON] [HOME]
set -euo pipefail

text="${1:-សួស្តី! Are you open?}" person="${2:-u-17}" home="${3:-.parley}"
parley="$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["services"]["chat_adapter"]["http"])' "$home/addresses.json")"
secret="$(sed -n '/^\[apps.webhook.demo\]/,/^$/s/^secret = "whsec_\(.*\)"$/\1/p' "$home/accounts.toml")"

id="msg_$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')" time="$(date +%s)"
body="$(python3 -c 'import json, sys; id, person, text = sys.argv[1:]
print(json.dumps({"id": id, "from": {"address": person}, "parts": [{"kind": "text", "text": text}]}))' "$id" "$person" "$text")"
key="$(printf %s "$secret" | base64 -d | od -An -v -tx1 | tr -d ' \n')"
signature="$(printf %s "$id.$time.$body" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)"

curl --silent --show-error --fail "$parley/hooks/webhook/demo" \
  -H 'content-type: application/json' \
  -H "webhook-id: $id" -H "webhook-timestamp: $time" -H "webhook-signature: v1,$signature" \
  --data-raw "$body"
echo "taken as $id: it is on the page, and in parley tail --from-beginning"
