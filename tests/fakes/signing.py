"""Signs images with provenance manifests (C2PA), by certificates of its own making."""

import datetime
import io
import json
from functools import cache
from typing import Any

import c2pa  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

MIME_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CREATED = {"actions": [{"action": "c2pa.created", "digitalSourceType": TRAINED}]}
CLAIM = {
    "claim_generator_info": [{"name": "tests", "version": "1"}],
    "title": "signed for a test",
    "assertions": [{"label": "c2pa.actions", "data": CREATED}],
}


def signed(image: bytes, form: str) -> bytes:
    """The same image with a manifest in it. ``form`` is what Pillow calls it: PNG, JPEG, WEBP."""
    target = io.BytesIO()
    with _signer() as signer, c2pa.Builder(json.dumps(CLAIM)) as builder:
        builder.sign(signer, MIME_TYPES[form], io.BytesIO(image), target)
    return target.getvalue()


def claim_of(image: bytes, form: str) -> dict[str, Any]:
    """The manifest that an image carries, once it has been found to be whole and to belong to its pixels.

    Raises:
        c2pa.C2paError: it carries none.
    """
    with c2pa.Reader(MIME_TYPES[form], io.BytesIO(image)) as reader:
        said: dict[str, Any] = json.loads(reader.json())
    # Nobody knows the certificate, and that is all that is wrong.
    assert {status["code"] for status in said["validation_status"]} == {"signingCredential.untrusted"}
    claim: dict[str, Any] = said["manifests"][said["active_manifest"]]
    return claim


def self_signed(host: str) -> tuple[bytes, bytes]:
    """A server's certificate that nobody knows, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = _certificate(host, key, host, key, authority=True)
    return made.public_bytes(serialization.Encoding.PEM), _pem(key)


def _signer() -> c2pa.Signer:
    chain, key = _certificates()
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain, key, None))


@cache
def _certificates() -> tuple[bytes, bytes]:
    """A certificate chain and its key, as PEM: the signer's own must stand below an authority's."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Test Root", root_key, "Test Root", root_key, authority=True)
    leaf = _certificate("Test Signer", key, "Test Root", root_key, authority=False)
    pem = serialization.Encoding.PEM
    return leaf.public_bytes(pem) + root.public_bytes(pem), _pem(key)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    usage = {
        "digital_signature": not authority,
        "key_cert_sign": authority,
        "crl_sign": authority,
        "content_commitment": False,
        "key_encipherment": False,
        "data_encipherment": False,
        "key_agreement": False,
        "encipher_only": False,
        "decipher_only": False,
    }
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not authority:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        ]
    )
