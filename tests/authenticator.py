"""A passkey in software, written from the standard (WebAuthn level 2) and not from the library under test.

It signs whatever it is asked to, also what a browser never would: another origin, an old challenge, a wrong host.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The inverse."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(slots=True, kw_only=True)
class SoftPasskey:
    """One credential on one device."""

    origin: str
    host: str
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    uses: int = 0
    present: bool = True

    def makes(self, options: str, **client: Any) -> str:
        """Answer to PublicKeyCredentialCreationOptions; `client` replaces fields of clientDataJSON."""
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(self.credential).to_bytes(2) + self.credential + cbor2.dumps(cose)
        data = self._data(_ATTESTED) + attested
        statement = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            {
                "clientDataJSON": b64(self._client("webauthn.create", options, client)),
                "attestationObject": b64(statement),
            }
        )

    def signs(self, options: str, **client: Any) -> str:
        """Answer to PublicKeyCredentialRequestOptions."""
        self.uses += 1
        data, said = self._data(), self._client("webauthn.get", options, client)
        signature = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer({"clientDataJSON": b64(said), "authenticatorData": b64(data), "signature": b64(signature)})

    def _data(self, flags: int = 0) -> bytes:
        flags |= _VERIFIED | (_PRESENT if self.present else 0)
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.uses.to_bytes(4)

    def _client(self, kind: str, options: str, other: dict[str, Any]) -> bytes:
        plain = {"type": kind, "challenge": json.loads(options)["challenge"], "origin": self.origin, **other}
        return json.dumps(plain).encode()

    def _answer(self, response: dict[str, str]) -> str:
        name = b64(self.credential)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})
