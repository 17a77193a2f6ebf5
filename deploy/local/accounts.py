"""The accounts file of a first start: which channels speak to which of the sandbox's providers."""

from __future__ import annotations

import base64
import secrets
import uuid
from pathlib import Path

from deploy.local.home import Addresses, write_private
from services.sandbox.twins.proofs import b64, public_key
from services.sandbox.twins.serviced import service_account

TEMPLATE = """\
# Apps receive (their secrets verify what comes in), accounts send. Changes are taken up at once.
# Every setting of every channel: `parley channels` and docs/channels/.

[apps.telegram.sandbox]
secret = "{telegram_secret}"

[accounts.telegram.sandbox]
token = "{telegram_token}"
api = "{sandbox}"

[accounts.youtube.sandbox]
channel_id = "{youtube_channel}"
client_id = "{youtube_client}.apps.googleusercontent.com"
client_secret = "{youtube_secret}"
refresh_token = "{youtube_refresh}"
quota = 1000000
reserve = 5000
api = "{sandbox}/youtube"
token_api = "{sandbox}/youtube"

[apps.x.sandbox]
client_secret = "{x_secret}"
bearer_token = "{x_bearer}"

[accounts.x.sandbox]
user_id = "{x_user}"
client_id = "{x_client}"
client_secret = "{x_secret}"
refresh_token = "{x_refresh}"
api = "{sandbox}/x"

[apps.webchat.demo]
secret = "{webchat_secret}"
identity_secret = "{identity_secret}"
origins = ["{chat}"]
demo = true
demo_frames = ["{console}"]

[accounts.webchat.demo]

[apps.whatsapp.sandbox]
app_id = "{whatsapp_app}"
secret = "{whatsapp_secret}"
verify_token = "{whatsapp_verify}"

[accounts.whatsapp.sandbox]
phone_number_id = "{whatsapp_number}"
waba_id = "{whatsapp_business}"
token = "{whatsapp_token}"
api = "{sandbox}"

[apps.facebook.sandbox]
app_id = "{facebook_app}"
secret = "{facebook_secret}"
verify_token = "{facebook_verify}"

[accounts.facebook.sandbox]
page_id = "{facebook_page}"
token = "{facebook_token}"
api = "{sandbox}"
human_agent = true

[apps.instagram.sandbox]
app_id = "{instagram_app}"
secret = "{instagram_secret}"
verify_token = "{instagram_verify}"

[accounts.instagram.sandbox]
instagram_id = "{instagram_id}"
token = "{instagram_token}"
api = "{sandbox}/instagram"
human_agent = true

[apps.apple.sandbox]
msp_id = "{apple_msp}"
secret = "{apple_secret}"

[accounts.apple.sandbox]
business_id = "{apple_business}"
msp_id = "{apple_msp}"
secret = "{apple_secret}"
api = "{sandbox}/apple"

[apps.discord.sandbox]
public_key = "{discord_key}"

[accounts.discord.sandbox]
application_id = "{discord_application}"
token = "{discord_token}"
api = "{sandbox}/discord"

[apps.googlechat.sandbox]
project = "{googlechat_project}"
audience = "https://parley.example/hooks/googlechat/sandbox"
publishers = ["push@parley-sandbox.iam.gserviceaccount.com"]
certs = "{sandbox}/googlechat"

[accounts.googlechat.sandbox]
credentials = '''{googlechat_credentials}'''
api = "{sandbox}/googlechat"
login = "{sandbox}/googlechat"

[apps.line.sandbox]
secret = "{line_secret}"

[accounts.line.sandbox]
user_id = "{line_bot}"
token = "{line_token}"
api = "{sandbox}/line"
data_api = "{sandbox}/line"

[apps.rcs.sandbox]
token = "{rcs_token}"

[accounts.rcs.sandbox]
agent = "parley_shop_sandbox_agent"
credentials = '''{rcs_credentials}'''
traffic = "TRANSACTION"
api = "{sandbox}/rcs"
login = "{sandbox}/rcs"

[apps.slack.sandbox]
secret = "{slack_secret}"

[accounts.slack.sandbox]
team = "{slack_team}"
token = "{slack_token}"
api = "{sandbox}/slack"

[apps.sms.sandbox]
token = "{sms_token}"

[accounts.sms.sandbox]
number = "{sms_number}"
mms = true
per_second = 100
sid = "{sms_sid}"
token = "{sms_token}"
api = "{sandbox}/sms"

[apps.telnyx.sandbox]
public_key = "{telnyx_public}"

[accounts.telnyx.sandbox]
number = "{telnyx_number}"
mms = true
per_second = 100
token = "{telnyx_token}"
profile = "{telnyx_profile}"
api = "{sandbox}/telnyx"

[apps.teams.sandbox]
app_id = "{teams_app}"
openid = "{sandbox}/teams/.well-known/openidconfiguration"

[accounts.teams.sandbox]
app_id = "{teams_app}"
directory = "{teams_directory}"
secret = "{teams_secret}"
api = "{sandbox}/teams"
login = "{sandbox}/teams"

[apps.voicemail.sandbox]
token = "{sms_token}"
transcribe = true

[accounts.voicemail.sandbox]
number = "{voicemail_number}"
mms = true
per_second = 100
sid = "{sms_sid}"
token = "{sms_token}"
api = "{sandbox}/voicemail"

[apps.viber.sandbox]
token = "{viber_token}"

[accounts.viber.sandbox]
token = "{viber_token}"
sender = "Parley Shop"
api = "{sandbox}/viber"

[accounts.bluesky.sandbox]
did = "did:plc:{bluesky_did}"
password = "{bluesky_password}"
per_second = 100
api = "{sandbox}/bluesky"

[apps.tiktok.sandbox]
app_id = "{tiktok_app}"
secret = "{tiktok_secret}"

[accounts.tiktok.sandbox]
business_id = "{tiktok_business}"
client_id = "{tiktok_app}"
client_secret = "{tiktok_secret}"
refresh_token = "{tiktok_refresh}"
api = "{sandbox}/tiktok"

[accounts.email.support]
address = "support@parley.example"
display_name = "Parley Shop"
reply_domain = "reply.parley.example"
host = "{mail_host}"
port = {mail_port}
security = "none"

[apps.webhook.demo]
secret = "{webhook_secret}"

[accounts.webhook.demo]
url = "{sandbox}/webhook/demo"
secret = "{webhook_secret}"
"""


def write_accounts(path: Path, addresses: Addresses) -> None:
    """Write the accounts file of a new home; never touch one that is there."""
    if path.exists():
        return
    mail_host, _, mail_port = (addresses.services["sandbox"].smtp or "").rpartition(":")
    discord = f"{secrets.token_urlsafe(18)}.{secrets.token_urlsafe(4)}.{secrets.token_urlsafe(28)}"
    telnyx = "KEY" + secrets.token_urlsafe(32)
    text = TEMPLATE.format(
        sandbox=addresses.sandbox,
        console=addresses.services["router"].http,
        chat=addresses.services["chat_adapter"].http,
        telegram_secret=secrets.token_urlsafe(24),
        telegram_token=f"{secrets.randbelow(9 * 10**9) + 10**9}:AA{secrets.token_urlsafe(25)[:33]}",
        whatsapp_app=digits(15),
        whatsapp_secret=secrets.token_hex(16),
        whatsapp_verify=secrets.token_urlsafe(24),
        whatsapp_number=digits(15),
        whatsapp_business=digits(15),
        whatsapp_token="EAA" + secrets.token_hex(40),
        facebook_app=digits(15),
        facebook_secret=secrets.token_hex(16),
        facebook_verify=secrets.token_urlsafe(24),
        facebook_page=digits(15),
        facebook_token="EAA" + secrets.token_hex(40),
        instagram_app=digits(15),
        instagram_secret=secrets.token_hex(16),
        instagram_verify=secrets.token_urlsafe(24),
        instagram_id="17841" + digits(12),
        instagram_token="IGAA" + secrets.token_hex(40),
        apple_msp=str(uuid.uuid4()),
        apple_secret=base64.b64encode(secrets.token_bytes(32)).decode(),
        apple_business=str(uuid.uuid4()),
        discord_key=public_key(discord).hex(),
        discord_application=digits(19),
        discord_token=discord,
        googlechat_project=digits(12),
        googlechat_credentials=service_account(),
        line_secret=secrets.token_hex(16),
        line_bot="U" + secrets.token_hex(16),
        line_token=secrets.token_urlsafe(64),
        rcs_token=secrets.token_urlsafe(12),
        rcs_credentials=service_account(),
        slack_secret=secrets.token_hex(16),
        slack_team="T08" + digits(8),
        slack_token=f"xoxb-{digits(12)}-{digits(13)}-{secrets.token_urlsafe(18)}",
        telnyx_token=telnyx,
        telnyx_public=b64(public_key(telnyx)),
        telnyx_number=f"+1{digits(10)}",
        telnyx_profile=uuid.uuid4(),
        sms_token=secrets.token_hex(16),
        sms_number=f"+1{digits(10)}",
        voicemail_number=f"+1{digits(10)}",
        sms_sid="AC" + secrets.token_hex(16),
        viber_token="-".join(secrets.token_hex(8) for _ in range(3)),
        youtube_channel="UC" + secrets.token_hex(11),
        youtube_client=digits(12),
        youtube_secret=f"GOCSPX-{secrets.token_urlsafe(21)}",
        youtube_refresh=f"1//0{secrets.token_urlsafe(48)}",
        x_secret=secrets.token_urlsafe(36),
        x_bearer="A" * 22 + secrets.token_urlsafe(60),
        x_user=digits(19),
        x_client=secrets.token_urlsafe(24),
        x_refresh=secrets.token_urlsafe(60),
        teams_app=str(uuid.uuid4()),
        teams_directory=str(uuid.uuid4()),
        teams_secret=secrets.token_urlsafe(30),
        bluesky_did=digits(24),
        bluesky_password=secrets.token_urlsafe(12),
        tiktok_app=digits(19),
        tiktok_secret=secrets.token_hex(20),
        tiktok_business=f"_000{secrets.token_urlsafe(24)}",
        tiktok_refresh=f"rft.{secrets.token_urlsafe(48)}",
        mail_host=mail_host,
        mail_port=mail_port,
        webchat_secret=secrets.token_urlsafe(32),
        identity_secret=secrets.token_urlsafe(32),
        webhook_secret="whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
    )
    write_private(path, text)


def digits(count: int) -> str:
    """A number as providers name things: of so many digits, the first not zero."""
    return str(10 ** (count - 1) + secrets.randbelow(9 * 10 ** (count - 1)))
