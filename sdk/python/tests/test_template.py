import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SDK = Path(__file__).parent.parent


def spellings(name: str) -> dict[str, str]:
    module = name.replace("-", "_")
    of_type = "".join(word.capitalize() for word in name.split("-"))
    return {"{{name}}": name, "{{NAME}}": module.upper(), "{{Type}}": of_type, "{{module}}": module}


class Template(unittest.TestCase):
    """A new project, as `acme-manager-server plugin new` writes it."""

    def test_its_own_tests_pass(self) -> None:
        # Most of these name something in the template or in the language.
        for name in ("my-dns", "none", "record", "key", "dns", "plugin"):
            with self.subTest(name):
                self.passes(name)

    def passes(self, name: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder) / name
            shutil.copytree(SDK / "template", project)
            for file in project.iterdir():
                text = file.read_text()
                for placeholder, spelling in spellings(name).items():
                    text = text.replace(placeholder, spelling)
                file.write_text(text)
            shutil.copytree(SDK / "acme_manager_plugin", project / "acme_manager_plugin")
            command = [sys.executable, "-B", "-m", "unittest"]
            done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("Ran 2 tests", done.stderr)


class Lines(unittest.TestCase):
    def test_no_line_is_too_long(self) -> None:
        for file in SDK.rglob("*.py"):
            for number, line in enumerate(file.read_text().splitlines(), 1):
                self.assertLessEqual(len(line), 120, f"{file}:{number}")
