import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SDK = Path(__file__).parent.parent
NAMES = {"{{name}}": "my-dns", "{{NAME}}": "MY_DNS", "{{Type}}": "MyDns", "{{module}}": "my_dns"}


class Template(unittest.TestCase):
    """A new project, as `acme-manager-server plugin new` writes it."""

    def test_its_own_tests_pass(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder) / "my-dns"
            shutil.copytree(SDK / "template", project)
            for file in project.iterdir():
                text = file.read_text()
                for placeholder, name in NAMES.items():
                    text = text.replace(placeholder, name)
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
