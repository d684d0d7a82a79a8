"""The environment variables that no flag has."""

from llamacli import PROGRAM
from llamacli.config.paths import FOLDERS, STORED_FILES, Folder
from llamacli.config.settings import KEY_VARIABLES


def _within(folder: Folder) -> str:
    return " and ".join(f"{PROGRAM}/{place.name}" for place in STORED_FILES if place.folder is folder)


#: The variables that hold a key, or say where it is.
KEYS = {
    **dict.fromkeys(KEY_VARIABLES, "The key; the first that is set counts."),
    "LLAMACLI_KEY_FILE": "Read the key from this file.",
    "LLAMACLI_KEY_COMMAND": "Run this command; what it prints is the key.",
}


#: Those that are no setting of llamacli's, and count in the environment alone.
OTHER_VARIABLES = {
    "LLAMACLI_DEBUG": "Show the traceback of a fault in llamacli itself.",
    "REQUESTS_CA_BUNDLE": "Trust these certificates, where no flag says otherwise; also CURL_CA_BUNDLE.",
    "HTTPS_PROXY": "Go through this proxy, but for loopback; also HTTP_PROXY, ALL_PROXY, NO_PROXY.",
    "NO_COLOR": "Use no colour; nor with TERM=dumb.",
    "VISUAL": "The editor of --edit, else EDITOR, else vi.",
    **{folder.variable: f"The folder of {_within(folder)}, by default ~/{folder.default}." for folder in FOLDERS},
}
