"""Whether a bundle is as it was made: known to whoever has the key it was sealed with."""

from __future__ import annotations

import hmac

from app.bundles.document import Manifest, Seal
from app.secrets.vault import Vault

_KEY_ID = b"tailrace bundle key"
_PURPOSE = b"tailrace bundle\0"


def seal_of(manifest: Manifest, vault: Vault) -> Seal | None:
    """The seal; none where there is no key to seal with."""
    if not vault.has_key:
        return None
    key, *_ = vault.fingerprints(_KEY_ID)
    mac, *_ = vault.fingerprints(_PURPOSE + manifest.sealed)
    return Seal(key=key.hex(), mac=mac.hex())


def is_genuine(manifest: Manifest, vault: Vault) -> bool | None:
    """Whether the seal is whole; None if there is none, or it was made with a key that is not here."""
    if manifest.seal is None or not vault.has_key:
        return None
    macs = zip(vault.fingerprints(_KEY_ID), vault.fingerprints(_PURPOSE + manifest.sealed), strict=True)
    for key, mac in macs:
        if key.hex() == manifest.seal.key:
            return hmac.compare_digest(mac.hex(), manifest.seal.mac)
    return None
