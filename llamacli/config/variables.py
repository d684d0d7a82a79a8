"""The environment variables that have no flag."""

from llamacli import PROGRAM
from llamacli.config.paths import FOLDERS, STORED_FILES, Folder
from llamacli.config.settings import KEY_VARIABLES


def _within(folder: Folder) -> str:
    return " and ".join(f"{PROGRAM}/{place.name}" for place in STORED_FILES if place.folder is folder)


#: The variables that hold a key, or say where it is.
KEYS = {
    **dict.fromkeys(KEY_VARIABLES, "The API key; the first of these that is set."),
    "LLAMACLI_KEY_FILE": "Read the key from this file.",
    "LLAMACLI_KEY_COMMAND": "Read the key from the output of this command; run again after a 401.",
}


#: Variables that are not llamacli settings, and are read only from the environment.
OTHER_VARIABLES = {
    "LLAMACLI_DEBUG": "Show the traceback of an internal error.",
    "REQUESTS_CA_BUNDLE": "CA certificates to trust; also CURL_CA_BUNDLE and SSL_CERT_FILE.",
    "HTTPS_PROXY": "Proxy for all hosts but this one; also HTTP_PROXY, ALL_PROXY, NO_PROXY.",
    "NO_COLOR": "Use no color; TERM=dumb has the same effect.",
    "VISUAL": "Editor for --edit; else EDITOR, else vi.",
    **{folder.variable: f"Base folder of {_within(folder)} (default ~/{folder.default})." for folder in FOLDERS},
}
