"""Run what the README shows, where nothing but the package is installed.

    python scripts/release_check.py README.md [--all]

Commands run in an empty folder, Python in this process. Without --all what needs an extra is
left out.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXTRAS = ("diamond_pricing.fitting", "refit", "load_sales")


def main() -> None:
    """Run every block, or say which one failed."""
    import diamond_pricing

    place = Path(diamond_pricing.__file__)
    if Path.cwd() not in place.parents:
        sys.exit(f"diamond_pricing comes from {place}, not from what was installed here.")
    blocks = BLOCK.findall(Path(sys.argv[1]).read_text())
    everything = "--all" in sys.argv[2:]
    ran = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind, code in blocks:
            extra = any(word in code for word in EXTRAS)
            if kind not in ("python", "sh") or (extra and not everything):
                continue
            if kind == "python":
                exec(compile(code, "README", "exec"), {"__name__": "readme"})  # noqa: S102  ours
            else:
                path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
                environment = {"PATH": path, "HOME": folder, "LANG": "C.UTF-8"}
                words = ["/bin/sh", "-eu", "-c", code]
                subprocess.run(words, check=True, cwd=folder, env=environment)  # noqa: S603  ours
            ran += 1
    print(f"{ran} blocks of {sys.argv[1]} run with {place.parent}.")
    if ran < 2:
        sys.exit("that is too few to say anything.")


if __name__ == "__main__":
    main()
