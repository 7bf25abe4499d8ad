# Examples for promises.yaml; never run.
# ruff: noqa
import hashlib
import hmac
import os
import random
import secrets
import shutil
import ssl
import subprocess
import tarfile
import tempfile
import zipfile

import numpy as np
import pandas as pd
import yaml
from markupsafe import Markup
from sqlalchemy import text

# ruleid: no-pickles
import pickle
# ruleid: no-pickles
import joblib
# ruleid: no-pickles
import dill as d
# ruleid: no-pickles
from marshal import loads
# ruleid: no-pickles
import shelve
# ruleid: no-other-host-is-asked
import urllib.request
# ruleid: no-other-host-is-asked
from urllib.request import urlopen
# ruleid: no-other-host-is-asked
import requests
# ok: no-other-host-is-asked
from urllib.parse import quote
# ruleid: no-clock-below-validation
import time
# ruleid: no-clock-below-validation
from datetime import datetime


def loads_what_may_run(file, words):
    # ruleid: no-pickles
    pd.read_pickle(file)
    # ruleid: no-pickles
    np.load(file, allow_pickle=True)
    # ok: no-pickles
    np.load(file, allow_pickle=False)
    # ruleid: no-code-from-data
    eval(words)
    # ruleid: no-code-from-data
    exec(words)
    # ruleid: no-code-from-data
    compile(words, "formula", "eval")
    # ok: no-code-from-data
    re.compile(words)
    # ok: no-code-from-data
    typst.compile(words)
    # ruleid: yaml-is-loaded-safely
    yaml.load(words)
    # ruleid: yaml-is-loaded-safely
    yaml.load(words, Loader=yaml.FullLoader)
    # ruleid: yaml-is-loaded-safely
    yaml.unsafe_load(words)
    # ok: yaml-is-loaded-safely
    yaml.load(words, Loader=yaml.SafeLoader)
    # ok: yaml-is-loaded-safely
    yaml.safe_load(words)


def asks(host):
    # ruleid: no-other-host-is-asked
    socket.create_connection((host, 443))
    # ok: no-other-host-is-asked
    socket.socket().bind(("127.0.0.1", 0))


def starts_programs(name):
    # ruleid: no-shell
    subprocess.run(f"pandoc {name}", shell=True)
    # ruleid: no-shell
    os.system(name)
    # ok: no-shell
    subprocess.run(["pandoc", name])


def asks_the_store(connection, name, wanted):
    # ruleid: sql-takes-parameters
    connection.execute(f"SELECT * FROM quotes WHERE tenant = '{name}'")
    # ruleid: sql-takes-parameters
    connection.execute("SELECT * FROM " + name)
    # ruleid: sql-takes-parameters
    connection.execute("SELECT * FROM %s" % name)
    # ruleid: sql-takes-parameters
    connection.execute("SELECT * FROM {}".format(name))
    # ruleid: sql-takes-parameters
    connection.execute(text(f"SELECT * FROM {name}"))
    # ruleid: sql-takes-parameters
    connection.execute(text(name))
    # ruleid: sql-takes-parameters
    connection.execute(f"DROP TRIGGER {name} " "ON audit")
    # ruleid: sql-takes-parameters
    connection.execute("DROP TRIGGER " "of " f"{name} ON audit")
    # ruleid: sql-takes-parameters
    connection.execute(", ".join(wanted))
    # ok: sql-takes-parameters
    connection.execute(wanted.join(name))
    # ok: sql-takes-parameters
    connection.execute(text("SELECT 1 WHERE :name"), {"name": name})
    # ok: sql-takes-parameters
    connection.execute(wanted.where(wanted.c.tenant == name))


def writes_a_page(words, why):
    # ruleid: page-code-escapes
    Markup(words)
    # ruleid: page-code-escapes
    Markup(f"<b>{words}</b>")
    # ruleid: page-code-escapes
    Environment(autoescape=False)
    # ok: page-code-escapes
    Markup("<b>")
    # ok: page-code-escapes
    Markup(waterfall_svg(why))


def unpacks(file, there):
    # ruleid: no-archive-is-unpacked
    tarfile.open(file).extractall(there)
    # ruleid: no-archive-is-unpacked
    zipfile.ZipFile(file).extractall(there)
    # ruleid: no-archive-is-unpacked
    shutil.unpack_archive(file, there)


def trusts_anybody(session, url):
    # ruleid: certificates-are-checked
    session.get(url, verify=False)
    # ruleid: certificates-are-checked
    ssl._create_unverified_context()
    # ok: certificates-are-checked
    session.get(url, verify=True)


def hashes(data):
    # ruleid: no-broken-hashes
    hashlib.md5(data)
    # ruleid: no-broken-hashes
    hashlib.sha1(data)
    # ruleid: no-broken-hashes
    hashlib.new("md5", data)
    # ok: no-broken-hashes
    hashlib.sha256(data)


def knows(known, token, signature, share, tenant):
    # ruleid: secrets-are-compared-in-constant-time
    if token == known:
        return True
    # ruleid: secrets-are-compared-in-constant-time
    if share(tenant) != signature:
        return True
    # ruleid: secrets-are-compared-in-constant-time
    if _hashed(share) == known.hash:
        return True
    # ok: secrets-are-compared-in-constant-time
    if known.tenant == tenant:
        return True
    # ok: secrets-are-compared-in-constant-time
    return hmac.compare_digest(signature, share(tenant))


def makes_a_key():
    # ruleid: secrets-are-not-from-a-generator
    name = random.getrandbits(64)
    # ruleid: secrets-are-not-from-a-generator
    part = random.choice("abc")
    # ok: secrets-are-not-from-a-generator
    return secrets.token_hex(16)


def dates(sales):
    # ruleid: no-clock-below-validation
    return pd.Timestamp.now()


def writes_a_file():
    # ruleid: temporary-names-are-taken-at-once
    tempfile.mktemp()
    # ok: temporary-names-are-taken-at-once
    tempfile.mkdtemp()
