"""``rmaudit sign``: vouch for a finished run with a key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sign(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Run folder of a finished scan.", show_default=False)
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Your private key, in PEM.", show_default=False)
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who signs; part of what is signed.", show_default=False)
    ] = None,
    new_key: Annotated[
        Path | None,
        typer.Option(
            "--new-key", metavar="FILE", help="Make a key in this file, and FILE.pub, and stop.", show_default=False
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="The policy of the run, where it was not the one that ships."),
    ] = None,
) -> None:
    """Sign a finished run with a private key, after it was verified. Every file in its folder is covered.

    Needs the package model-signing: pip install 'rmaudit[sign]'. `rmaudit verify RUN --signer KEY.pub` checks it.
    """
    from rmaudit import signing
    from rmaudit.cli.console import say
    from rmaudit.errors import RunError, UsageError
    from rmaudit.verification import FILES, refuted, verify

    if new_key is not None:
        public = signing.new_key(new_key)
        say(f"Private key in {new_key}: keep it to yourself. Public key in {public}: give it to whoever is to check.")
        return
    if run is None or key is None:
        raise UsageError(
            "Name a run and a key: rmaudit sign RUN --key FILE. Or make a key: rmaudit sign --new-key FILE."
        )
    points = verify(run, policy=policy)
    wrong = [f"{point.subject}: {point.text}" for point in refuted(points)]
    wrong += [f"{path.name}: it does not belong to a run." for path in sorted(run.iterdir()) if path.name not in FILES]
    if wrong:
        told = "\n  ".join(wrong)
        raise RunError(f"The run in {run} is not signed, because it does not hold:\n  {told}")
    signer = signing.sign(run, key, by)
    say(
        f"Signed: {run / signing.SIGNATURE} and {run / signing.SIGNER}, with the key sha256 {signer.key_sha256}.\n"
        f"Check it with: rmaudit verify {run} --signer PUBLICKEY"
    )
