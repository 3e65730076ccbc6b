"""Signatures of finished runs, in the format of OpenSSF Model Signing: a Sigstore bundle with the digest of every file.

The library `model-signing` makes and checks them (``pip install 'rmaudit[sign]'``), and so can its own command line.
The keys are plain files, elliptic curve keys in PEM, so that nothing needs a network. Who signed and when stands in
``signer.json``, which is signed along with the run; it is what the signer says, and the key is what vouches for it.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rmaudit.errors import RunError, RunExistsError, UsageError
from rmaudit.runs.atomic import write_atomically
from rmaudit.runs.folder import RunFolder

SIGNATURE = "run.sig"
SIGNER = "signer.json"


class Signer(BaseModel):
    """`signer.json`: who says that they signed the run, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)

    schema_: Literal["rmaudit.signer/1"] = Field(alias="schema", default="rmaudit.signer/1")
    by: str | None
    """Name, in the signer's own words."""
    signed: str
    """When, by the signer's clock, ISO 8601."""
    run: str
    """Id of the run."""
    model: str
    """Identity of the model."""
    key_sha256: str
    """sha256 of the public key's PEM file, as `KEY.pub` holds it."""


@dataclass(frozen=True)
class Checked:
    """What the check of a signature found."""

    problems: tuple[str, ...]
    """What speaks against it, with the files; empty where the signature holds."""
    signer: Signer | None
    files: int
    """Files that it covers."""


def new_key(file: Path) -> Path:
    """Make a private key (P-256, PEM, readable by its owner only) and the public key beside it.

    Returns:
        The file of the public key: the same name with ``.pub``.

    Raises:
        UsageError: when a file is there already or cannot be written, or the library is missing.
    """
    _library()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = file.with_name(f"{file.name}.pub")
    for path in (file, public):
        if path.exists():
            raise UsageError(f"{path} exists, and a key is never overwritten. Name another file.")
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as opened:
            opened.write(secret)
        write_atomically(public, _pem(key.public_key()))
    except OSError as error:
        raise UsageError(f"The key cannot be written to {file}: {error.strerror}. Name another place.") from error
    return public


def sign(run: Path, key: Path, by: str | None = None, now: dt.datetime | None = None) -> Signer:
    """Sign a finished run: writes `signer.json` and `run.sig` into its folder.

    Args:
        run: folder of a finished run; every file in it is signed.
        key: private key, PEM.
        by: who signs, in words.
        now: when; the moment of the call where it is not given.

    Raises:
        UsageError: when the key cannot be used, or the library is missing.
        RunExistsError: when the run is signed already.
        RunError: when the run is not finished.
    """
    library = _library()
    manifest = RunFolder(run).complete_manifest()
    for name in (SIGNATURE, SIGNER):
        if (run / name).exists():
            raise RunExistsError(
                f"The run in {run} is signed already: it has {name}, and evidence is never overwritten. "
                f"To sign anew, remove {SIGNATURE} and {SIGNER} first."
            )
    signer = Signer(
        by=by,
        signed=(now or dt.datetime.now(dt.UTC)).isoformat(timespec="seconds"),
        run=manifest.run.id,
        model=manifest.model.identity,
        key_sha256=hashlib.sha256(_pem(_private(key).public_key())).hexdigest(),
    )
    content = json.dumps(signer.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=True)
    try:
        write_atomically(run / SIGNER, content.encode("ascii") + b"\n")
        library.signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(_hashing(library)).sign(
            run, run / SIGNATURE
        )
    except (OSError, ValueError) as error:
        for name in (SIGNER, SIGNATURE):
            (run / name).unlink(missing_ok=True)
        raise RunError(f"The run in {run} cannot be signed: {error}. It is left as it was.") from error
    return signer


def check(run: Path, public_key: Path) -> Checked:
    """Check the signature of a run against a public key, and every file against the signature.

    Raises:
        UsageError: when the key cannot be used, or the library is missing.
    """
    library = _library()
    _public(public_key)
    if not (run / SIGNATURE).is_file():
        return Checked((f"The run is not signed: it has no {SIGNATURE}.",), None, 0)
    signed = signed_files(run)
    problems = _differences(run, signed)
    try:
        library.verifying.Config().use_elliptic_key_verifier(public_key=public_key).set_hashing_config(
            _hashing(library)
        ).verify(run, run / SIGNATURE)
    except Exception as error:  # the library raises whatever its parts do
        if not problems:
            problems = [
                f"{SIGNATURE} was not made with the private key of {public_key}, or was changed since "
                f"({type(error).__name__})."
            ]
    try:
        signer = read_signer(run)
    except RunError as error:
        return Checked((*problems, str(error)), None, len(signed))
    if signer is None:
        problems.append(f"{SIGNER} is missing, so nobody says who signed, or when.")
    return Checked(tuple(problems), signer, len(signed))


def read_signer(run: Path) -> Signer | None:
    """Who says that they signed a run, or ``None`` where nobody does. Nothing is checked.

    Raises:
        RunError: when the file is damaged.
    """
    file = run / SIGNER
    try:
        return Signer.model_validate_json(file.read_bytes()) if file.is_file() else None
    except (OSError, ValidationError) as error:
        raise RunError(f"{file} is damaged: {str(error).splitlines()[0]}.") from error


def signed_files(run: Path) -> dict[str, str]:
    """Name and sha256 of the files that a run's signature says it covers; empty where that cannot be read."""
    try:
        bundle: Any = json.loads((run / SIGNATURE).read_bytes())
        payload: Any = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        return {str(entry["name"]): str(entry["digest"]) for entry in payload["predicate"]["resources"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _differences(run: Path, signed: dict[str, str]) -> list[str]:
    """Files that are not as they were signed, gone, or not covered."""
    found = []
    # A link to a folder is something added, too.
    here = {
        path.relative_to(run).as_posix(): path
        for path in sorted(run.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }
    here.pop(SIGNATURE, None)
    for name in sorted(here.keys() | signed.keys()):
        if name not in here:
            found.append(f"{name} was signed and is gone.")
        elif name not in signed:
            found.append(f"{name} was not signed: it was added later.")
        elif here[name].is_symlink() or _sha256(here[name]) != signed[name]:
            found.append(f"{name} was changed after it was signed.")
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hashing(library: ModuleType) -> Any:
    """Everything in the folder counts but the signature itself."""
    config = library.hashing.Config().use_file_serialization(hashing_algorithm="sha256")
    return config.set_ignored_paths(paths=[Path(SIGNATURE)], ignore_git_paths=False)


def _library() -> ModuleType:
    try:
        import model_signing
    except ImportError as error:
        raise UsageError(
            f"Signatures need the package model-signing ({error}). Install it with: pip install 'rmaudit[sign]'"
        ) from error
    return model_signing  # type: ignore[no-any-return]


def _private(file: Path) -> Any:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise UsageError(
            f"The key {file} cannot be read: {error.strerror}. Make one with: rmaudit sign --new-key {file}"
        ) from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{file} is not a private key in PEM without a password. Give --key another file.") from error
    return _curve(key, ec.EllipticCurvePrivateKey, file)


def _public(file: Path) -> Any:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_public_key(file.read_bytes())
    except OSError as error:
        raise UsageError(f"The key {file} cannot be read: {error.strerror}. Give --signer another file.") from error
    except ValueError as error:
        raise UsageError(f"{file} is not a public key in PEM. Give --signer the signer's .pub file.") from error
    return _curve(key, ec.EllipticCurvePublicKey, file)


def _curve(key: Any, kind: type, file: Path) -> Any:
    if not isinstance(key, kind) or key.curve.name not in ("secp256r1", "secp384r1", "secp521r1"):  # type: ignore[attr-defined]
        raise UsageError(
            f"{file} is a key of another kind. Signatures take elliptic curve keys on P-256, P-384 or P-521."
        )
    return key


def _pem(public: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    content: bytes = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return content
