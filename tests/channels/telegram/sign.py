"""What proves Telegram, for `parley sample telegram`: https://core.telegram.org/bots/api#setwebhook (secret_token)."""


def sign(app, body, now):
    return {"X-Telegram-Bot-Api-Secret-Token": app["secret"]}
