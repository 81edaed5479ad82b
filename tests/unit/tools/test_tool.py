#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The host tool as its users call it: test_tool.py BUILD-DIRECTORY [UNITTEST-ARG...].

What is said about each description in disk-cases/, checked with the options in its second line, is
compared with the file beside it that ends in .expected; UPDATE=1 in the environment writes these.
"""

import filecmp
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = ""
UUID = "01234567-89ab-cdef-0123-456789abcdef"
UUID_2 = "89abcdef-0123-4567-89ab-cdef01234567"


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def make_kernel(path):
    """What passes for a bzImage."""
    write(path, bytes(0x202) + b"HdrS" + bytes(4096 - 0x206))


def partition(image, program, *arguments, script=""):
    subprocess.run([program, *arguments, image], input=script, text=True, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make_disks():
    """The images that disk-cases/ name, in the current folder."""
    for name in ("gpt.img", "copy.img", "mbr.img", "damaged.img", "empty.img", "large.img"):
        with open(name, "wb") as file:
            file.truncate(16 << 20)
    for name in ("gpt.img", "copy.img", "damaged.img"):
        partition(name, "/sbin/sgdisk", "-n1:0:+1M", "-c1:home", f"-u1:{UUID}", "-n2:0:+1M",
                  "-c2:twin", f"-u2:{UUID_2}", "-n3:0:+1M", "-c3:twin")
    with open("damaged.img", "r+b") as file:
        file.seek(512)
        file.write(b"damaged")
    partition("mbr.img", "/sbin/sfdisk",
              script="label: dos\nlabel-id: 0x1234abcd\n"
                     "1: size=1M\n2: size=8M, type=5\n5: size=1M\n")
    subprocess.run(["/sbin/parted", "-s", "large.img", "mklabel", "gpt", "mkpart", "large", "1M",
                    "2M"], check=True, stderr=subprocess.DEVNULL,
                   env={**os.environ, "PARTED_SECTOR_SIZE": "4096"})


def tool(*arguments, environment=None):
    return subprocess.run([os.path.join(BUILD, "tools", "bulkhead", "bulkhead"), *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          env=environment)


class InFolder(unittest.TestCase):
    """In an empty folder with a kernel in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        make_kernel("vmlinuz")


class Disks(InFolder):
    """check --disk"""

    def judge(self, path):
        options = text_of(path).splitlines()[1].removeprefix("# ").split()
        result = tool("check", "--artifacts", ".", *options, path)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.returncode, int(": error: " in result.stderr), result.stderr)
        return result.stderr.replace(HERE + "/disk-cases/", "")

    def test_cases(self):
        make_disks()
        paths = sorted(glob.glob(os.path.join(HERE, "disk-cases", "*.yaml")))
        self.assertGreater(len(paths), 10)
        for path in paths:
            with self.subTest(os.path.basename(path)):
                expected = path.removesuffix(".yaml") + ".expected"
                said = self.judge(path)
                if os.environ.get("UPDATE") and said:
                    write(expected, said.encode())
                self.assertEqual(said, text_of(expected) if os.path.exists(expected) else "")

    def test_unreadable(self):
        for disk in ("nothing.img", "X=nothing.img", "."):
            result = tool("check", "--artifacts", ".", "--disk", disk,
                          os.path.join(HERE, "disk-cases", "label-missing.yaml"))
            self.assertEqual(result.returncode, 3)
            self.assertIn(disk.removeprefix("X=") + ": ", result.stderr)


DESCRIPTION = """system: test
vms:
  - name: linux
    memory: 64M
    kernel: vmlinuz
"""


class Build(InFolder):
    """build"""

    def test_reproducible(self):
        """The same bytes, whatever the folders are called, the clock says and the files' dates."""
        for folder, date in (("first", 1), ("second-one", 1000000000)):
            os.mkdir(folder)
            make_kernel(f"{folder}/vmlinuz")
            write(f"{folder}/system.yaml", DESCRIPTION.encode())
            for name in ("vmlinuz", "system.yaml"):
                os.utime(f"{folder}/{name}", (date, date))
            result = tool("build", "--iso", "-o", f"{folder}/out", f"{folder}/system.yaml")
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
            self.assertEqual(sorted(os.listdir(f"{folder}/out")), ["image.elf", "image.iso"])
            # FAT has even seconds.
            time.sleep(2)
        for name in ("image.elf", "image.iso"):
            self.assertTrue(
                filecmp.cmp(f"first/out/{name}", f"second-one/out/{name}", shallow=False), name)

    def test_iso_tools_missing(self):
        write("system.yaml", DESCRIPTION.encode())
        result = tool("build", "--iso", "-o", "out", "system.yaml", environment={"PATH": "."})
        self.assertEqual(result.returncode, 3)
        self.assertRegex(result.stderr, "^bulkhead: grub-mkimage: No such file")


TWO_VMS = DESCRIPTION + """    disks:
      - partlabel: home
  - name: other
    memory: 64M
    kernel: vmlinuz
    vcpus: 2
    cores: [1]
    priority: 7
    period: 20ms
    budget: 5ms
    disks:
      - serial: WD-1
        number: 3
        access: read-only
"""


class Report(InFolder):
    """report"""

    def report(self, text, *arguments):
        write("system.yaml", text.encode())
        result = tool("report", "--artifacts", ".", "system.yaml", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def tables(self, text=TWO_VMS):
        return json.loads(self.report(text, "--json"))

    def test_same_rows(self):
        """Text and JSON say the same."""
        lines = [" ".join(line.split()) for line in self.report(TWO_VMS).splitlines()]
        for key, table in self.tables().items():
            for row in table if key != "system" else []:
                cells = " ".join(str(cell) for cell in row.values())
                self.assertIn(" ".join(cells.split()), lines, key)

    def test_memory(self):
        """Only channels are shared, and their ends are the two that the table of channels names."""
        tables = self.tables()
        channels = {row["channel"]: {row["one_end"], row["other_end"]}
                    for row in tables["channels"]}
        users = {}
        for row in tables["memory"]:
            users.setdefault(row["memory"], set()).add(row["component"])
            self.assertTrue(row["as"] == "guest" or row["rights"] != "read write execute")
        shared = {name: who for name, who in users.items() if len(who) > 1}
        self.assertEqual(shared, channels)
        self.assertEqual(len(channels), 2 + 4 + 2)
        ram = [(row["as"], row["rights"], row["kib"]) for row in tables["memory"]
               if row["memory"] == "other.ram"]
        self.assertEqual(sorted(ram), [("guest", "read write execute", 65536),
                                       ("monitor", "read write", 65536)])

    def test_threads(self):
        threads = [row for row in self.tables()["threads"] if row["component"] == "other"]
        self.assertEqual(
            threads, [{"component": "other", "thread": f"other.vmm-{n}", "core": 1, "priority": 7,
                       "budget_us": 5000, "period_us": 20000, "virtual_cpu": f"other.vcpu-{n}",
                       "faults_go_to": "bulkhead.endpoint"} for n in (0, 1)])

    def test_signals(self):
        """VMs reach servers and supervisor, nobody else; each object is a capability's."""
        tables = self.tables()
        reach = {(row["from"], row["to"]) for row in tables["signals"]
                 if row["how"] in ("signal", "message") and row["from"] != row["to"]}
        self.assertEqual({to for whose, to in reach if whose == "linux"},
                         {"console", "sataserver", "bulkhead"})
        self.assertNotIn("linux", {whose for whose, to in reach if to == "other"})
        held = {(row["component"], row["object"]) for row in tables["capabilities"]}
        for row in tables["signals"]:
            if row["how"] in ("signal", "message"):
                self.assertIn((row["from"], row["object"]), held)
        self.assertEqual({(row["from"], row["to"]) for row in tables["signals"]
                          if row["how"] == "interrupt"},
                         {("ahci-irq", "sataserver"), ("serial-irq", "console")})

    def test_capabilities(self):
        """Nobody holds what is another's but to signal it, and the supervisor VMs' threads."""
        rows = self.tables()["capabilities"]
        self.assertNotIn("init", {row["component"] for row in rows})
        for row in rows:
            if row["component"] != row["owner"] and row["rights"] not in ("signal", "send"):
                self.assertEqual((row["component"], row["type"]), ("bulkhead", "thread"))
                self.assertIn(row["owner"], ("linux", "other"))

    def test_devices(self):
        tables = self.tables()
        self.assertEqual([(row["device"], row["owner"], row["dma"]) for row in tables["devices"]],
                         [("ahci", "sataserver", "all memory")])
        self.assertEqual({row["memory"] for row in tables["physical_addresses"]},
                         {"linux.ram", "other.ram", "sataserver.dma"})
        self.assertEqual([(row["disk"], row["rights"]) for row in tables["disks"]],
                         [("linux/vda", "read write"), ("other/vda", "read")])
        self.assertEqual([row["owner"] for row in tables["ports"]], ["console"])

    def test_without_disks(self):
        tables = self.tables(DESCRIPTION)
        self.assertEqual((tables["devices"], tables["disks"]), ([], []))
        self.assertIn("PCI devices.", self.report(DESCRIPTION))

    def test_output(self):
        text = self.report(DESCRIPTION)
        self.assertEqual(self.report(DESCRIPTION, "-o", "report.txt"), "")
        self.assertEqual(text_of("report.txt"), text)

    def test_wrong(self):
        write("system.yaml", b"system: 7\n")
        result = tool("report", "--json", "system.yaml")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("system.yaml:1:9: error: ", result.stderr)


class Check(InFolder):
    """check"""

    def test_json(self):
        write('sys"tem.yaml',
              b"system: a\nvms:\n  - name: b\n    memroy: 64M\n    kernel: nowhere\n")
        result = tool("check", "--json", "--artifacts", ".", 'sys"tem.yaml')
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        said = json.loads(result.stdout)
        self.assertEqual((said["file"], said["errors"], said["warnings"]), ('sys"tem.yaml', 1, 1))
        self.assertEqual([(row["line"], row["column"], row["kind"]) for row in said["findings"]],
                         [(4, 5, "error"), (5, 13, "warning")])
        self.assertEqual(said["findings"][0]["message"],
                         "unknown key 'memroy'; did you mean 'memory'?")

    def test_json_good(self):
        write("system.yaml", DESCRIPTION.encode())
        result = tool("check", "--json", "system.yaml")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(json.loads(result.stdout),
                         {"file": "system.yaml", "errors": 0, "warnings": 0, "findings": []})


class CommandLine(unittest.TestCase):
    """--help, the manual page and the completion"""

    FOLDER = os.path.join(HERE, "..", "..", "..", "tools", "bulkhead")

    def help(self, *command):
        result = tool(*command, "--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    @staticmethod
    def entries(text, title):
        """What a list of the help begins its entries with."""
        rows = text.split(f"\n{title}:\n")[1].split("\n\n")[0]
        return re.findall(r"^  (?:-., |    )?([a-z-]+)", rows, re.MULTILINE)

    def options(self, *command):
        return ["--" + name.removeprefix("--") for name in
                self.entries(self.help(*command), "options")]

    def manual(self):
        """Its sections, without the typography."""
        text = re.sub(r"\\f.", "", text_of(os.path.join(self.FOLDER, "bulkhead.1")))
        text = text.replace("\\-", "-")
        return dict(part.split("\n", 1) for part in text.split("\n.SH ")[1:])

    def complete(self, *words):
        script = ("source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _bulkhead; "
                  "echo \"${COMPREPLY[@]}\"")
        result = subprocess.run(
            ["bash", "-c", script, "bash", os.path.join(self.FOLDER, "bulkhead.bash"), "bulkhead",
             *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
        self.assertEqual(result.stderr, "")
        return result.stdout.split()

    def test_commands(self):
        commands = self.entries(self.help(), "commands")
        self.assertGreater(len(commands), 6)
        self.assertEqual(re.findall(r"^.TP\n.B (\S+)$", self.manual()["COMMANDS"], re.MULTILINE),
                         commands)
        self.assertEqual(self.complete(""), commands)
        self.assertEqual(self.complete("che"), ["check"])

    def test_synopsis(self):
        usage = self.help().split("\n\n")[0].replace("usage:", "      ")
        lines = [line.strip() for line in usage.splitlines()]
        self.assertEqual(re.findall("^.B (.*)$", self.manual()["SYNOPSIS"], re.MULTILINE), lines)
        for line in lines:
            self.assertEqual(self.help(line.split()[1]).split("\n\n")[0], "usage: " + line)

    def test_options(self):
        manual = re.findall(r"^.TP\n.*?(--[a-z]+)", self.manual()["OPTIONS"], re.MULTILINE)
        self.assertEqual(manual, self.options())
        self.assertEqual(self.complete("-"), ["--help"])
        for command in self.entries(self.help(), "commands"):
            with self.subTest(command):
                self.assertEqual(sorted(self.complete(command, "--")),
                                 sorted(self.options(command)))
                for option in set(self.options()) - set(self.options(command)):
                    result = tool(command, "file", option, "x")
                    self.assertEqual(result.returncode, 2)
                    self.assertIn(f"takes no {option}\n", result.stderr)

    def test_arguments_of_options(self):
        """Names of files and folders, never options."""
        for option in ("-o", "--output", "--disk", "--kernel"):
            self.assertEqual(self.complete("build", option, ""), [])
        self.assertIn("/usr", self.complete("build", "file", "--components", "/us"))

    def test_exit_status(self):
        said = re.findall(r"(\d) [a-z]", self.help().split("Exit status:")[1])
        self.assertEqual(re.findall(r"^.B (\d)$", self.manual()["EXIT STATUS"], re.MULTILINE), said)

    def test_wrong(self):
        for arguments in ([], ["chek", "file"], ["check"], ["check", "a", "b"], ["schema", "a"],
                          ["build", "a"], ["check", "--no", "a"],
                          ["check", "a"] + ["--disk", "b"] * 9):
            result = tool(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertIn("usage: bulkhead ", result.stderr)


class Machine(InFolder):
    """machine"""

    def machine(self, text):
        write("system.yaml", text.encode())
        result = tool("machine", "--artifacts", ".", "system.yaml")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def test_described(self):
        self.assertEqual(self.machine(TWO_VMS + "machine:\n  cores: 8\n  memory: 1000000K\n"),
                         "cores: 8\nmemory: 976M\nconsole: 0x3f8\n")

    def test_needed(self):
        """All cores that are named, memory in steps of 512M."""
        self.assertEqual(self.machine(DESCRIPTION), "cores: 1\nmemory: 2048M\nconsole: 0x3f8\n")
        self.assertEqual(self.machine(TWO_VMS), "cores: 2\nmemory: 2048M\nconsole: 0x3f8\n")
        self.assertEqual(self.machine(TWO_VMS.replace("64M", "1G")),
                         "cores: 2\nmemory: 2560M\nconsole: 0x3f8\n")


def main():
    global BUILD
    if len(sys.argv) < 2:
        sys.exit("usage: test_tool.py BUILD-DIRECTORY [UNITTEST-ARG...]")
    BUILD = os.path.abspath(sys.argv.pop(1))
    unittest.main()


if __name__ == "__main__":
    main()
