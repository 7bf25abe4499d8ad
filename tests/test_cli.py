"""The command line as its users call it: as a process."""

import json
import os
import re
import resource
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from diamond_pricing import PriceModel, Stone
from diamond_pricing.cli import cli, main

STONE = ["--carat", "1.01", "--cut", "Ideal", "--color", "E", "--clarity", "VS1"]


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run a command in an empty folder; give exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIAMOND_PRICING_MODEL", raising=False)

    def call(*words: str) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def csv(tmp_path, sales):
    file = tmp_path / "sales.csv"
    sales.drop(columns=["stone", "listing"]).to_csv(file, index=False)
    return file


def test_explain_answers_in_words(run, packaged):
    code, out, err = run("explain", *STONE)
    assert (code, err) == (0, "")
    why = packaged.explain(Stone(1.01, "Ideal", "E", "VS1"))
    assert out.startswith(str(why))
    assert "2008 US dollars" in out
    assert "From the packaged model" in out


def test_explain_answers_machines(run, packaged):
    code, out, err = run("explain", *STONE, "--json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    assert sum(line["cents"] for line in answer["lines"]) == answer["cents"]
    assert answer["price"] == packaged.explain(Stone(1.01, "Ideal", "E", "VS1")).price
    assert answer["model_source"] == "the packaged model"
    assert answer["effective"] == "2008"


def test_no_command_takes_a_model_from_the_working_folder(run, loglinear, tmp_path):
    before = run("explain", *STONE)
    (tmp_path / "demo").mkdir()
    for place in ("demo/model.json", "model.json"):
        (tmp_path / place).write_text(loglinear.to_json())
    assert run("explain", *STONE) == before


def test_a_model_can_be_named_by_option_or_environment(run, loglinear, tmp_path, monkeypatch):
    file = tmp_path / "mine.json"
    file.write_text(loglinear.to_json())
    named = run("explain", *STONE, "--model", file)[1]
    monkeypatch.setenv("DIAMOND_PRICING_MODEL", str(file))
    assert run("explain", *STONE)[1] == named
    assert f"From {file}: loglinear" in named


def test_aliases_of_attributes_are_options(run):
    plain = run("explain", *STONE, "--depth", "62", "--x", "6.4", "--y", "6.45")[1]
    words = ["--weight", "1.01", "--cut", "IDEAL", "--colour", " e ", "--clarity", "vs-1"]
    assert (
        run("explain", *words, "--depth", "62", "--length", "6.4", "--width", "6.45")[1]
        == plain
    )


def test_compare_turns_around(run):
    there = json.loads(run("compare", "1.01 Ideal E VS1", "0.70 Very Good G VS2", "--json")[1])
    back = json.loads(run("compare", "0.70 Very Good G VS2", "1.01 Ideal E VS1", "--json")[1])
    cents = [[line["cents"] for line in answer["lines"][1:]] for answer in (there, back)]
    assert cents[0] == [-c for c in cents[1]]


def test_a_reference_and_a_price_list_may_be_chosen(run):
    out = run("explain", *STONE, "--reference", "1 ct Good J SI2", "--listing", "x>y")[1]
    assert "Reference stone: 1.00 ct Good J SI2" in out
    assert "x>y (longer side first) rather than blend" in out


def test_the_page_is_written_whole(run, tmp_path):
    code, _, err = run("explain", *STONE, "--html", "pages/why.html")
    page = (tmp_path / "pages" / "why.html").read_text()
    assert code == 0
    assert "Wrote pages/why.html" in err
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert [f.name for f in (tmp_path / "pages").iterdir()] == ["why.html"]


def test_writing_respects_links_modes_and_pipes(run, tmp_path):
    real, link, private = (
        tmp_path / name for name in ("real.html", "link.html", "private.html")
    )
    real.write_text("old")
    link.symlink_to(real)
    private.touch(mode=0o600)
    for file in (link, private):
        assert run("explain", *STONE, "--html", file)[0] == 0
    assert link.is_symlink()
    assert real.read_text().startswith("<!doctype html>")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    answer = subprocess.run(
        [
            "sh",
            "-c",
            f"{sys.executable} -m diamond_pricing.cli explain {' '.join(STONE)} --json --html /dev/stdout | cat",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.startswith("<!doctype html>")
    code, _, err = run("explain", *STONE, "--html", tmp_path)
    assert (code, err) == (2, f"Error: {tmp_path}: Is a directory\n")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_files_of_other_programs_are_read(run, csv, sales, encoding, separator):
    sales.to_csv(csv, index=False, sep=separator, encoding=encoding)
    code, out, _ = run(
        "fit", "--family", "loglinear", "--data", csv, "--out", "m.json", "--json"
    )
    assert code == 0
    assert json.loads(out)["stones"] > 3000


@pytest.mark.parametrize("name", ["sales.csv.gz", "sales.zip", "sales.csv.xz", "sales.csv.zst"])
def test_packed_files_are_refused(run, tmp_path, name):
    (tmp_path / name).write_bytes(b"PK\x03\x04\xff\xfe not packed at all")
    code, _, err = run("fit", "--data", name, "--out", "m.json")
    assert code == 2
    assert re.search(f"{name}(: the (archive|file)| cannot be read)", err)


def test_two_columns_of_one_name_are_refused(run, tmp_path):
    (tmp_path / "twice.csv").write_text("carat,cut,carat\n1,Ideal,2\n")
    code, _, err = run("fit", "--data", "twice.csv", "--out", "m.json")
    assert code == 2
    assert "twice.csv: two columns are called 'carat'" in err


def test_a_band_of_one_sale_is_valid_json(run, sales, tmp_path):
    few = sales[sales["carat"] < 1].head(200)
    odd = pd.concat([few, sales[sales["carat"] > 2].head(1)])
    odd.to_csv(tmp_path / "few.csv", index=False)
    words = ["evaluate", "--family", "loglinear", "--data", "few.csv", "--folds", "4"]
    answer = json.loads(run(*words, "--json")[1], parse_constant=pytest.fail)
    band = answer["models"][0]["by_carat"]["from 2 ct"]
    assert (band["n"], band["r2"], band["prb"]) == (1, None, None)
    assert "nan" not in run(*words)[1]


def test_a_terminal_without_the_signs_gets_plain_ones():
    answer = process(
        "compare",
        "1.01 Ideal E VS1",
        "0.7 Good G VS2",
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        encoding="cp1252",
    )
    assert answer.returncode == 0
    assert "-$" in answer.stdout


def test_a_closed_standard_output_is_an_error():
    command = f"{sys.executable} -m diamond_pricing.cli explain {' '.join(STONE)} >&-"
    answer = subprocess.run(
        ["sh", "-c", command],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert "standard output is closed" in answer.stderr


def test_an_endless_file_is_no_model(run):
    code, _, err = run("explain", *STONE, "--model", "/dev/zero")
    assert code == 2
    assert "/dev/zero: a model document has at most" in err


def test_fit_writes_a_model_that_explain_reads(run, csv, tmp_path):
    code, out, err = run(
        "fit", "--family", "loglinear", "--data", csv, "--effective", "2026", "--out", "m.json"
    )
    assert code == 0
    assert "Fitting loglinear to 4,536 sales" in err
    assert "m.json: loglinear model" in out
    model = PriceModel.from_json((tmp_path / "m.json").read_bytes())
    assert model.training.effective == "2026"
    assert stat.S_IMODE((tmp_path / "m.json").stat().st_mode) == 0o644
    assert "2026 US dollars" in run("explain", *STONE, "--model", "m.json")[1]


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--currency", "dollars", "three capitals"),
        ("--effective", "last year", "a year or date"),
    ],
)
def test_money_without_a_currency_or_date_is_refused(run, csv, option, value, says):
    code, out, err = run("fit", "--data", csv, "--out", "m.json", option, value)
    assert (code, out) == (2, "")
    assert says in err


def test_fit_answers_machines(run, csv):
    answer = json.loads(
        run("fit", "--family", "loglinear", "--data", csv, "--out", "m", "--json")[1]
    )
    assert answer["rows"] + sum(answer["left_out"].values()) == 4536


def test_a_failed_fit_leaves_the_old_model(run, csv, tmp_path):
    (tmp_path / "m.json").write_text("old")
    bad = pd.read_csv(csv).assign(price=-1)
    bad.to_csv(csv, index=False)
    code, out, err = run("fit", "--data", csv, "--out", "m.json")
    assert (code, out) == (2, "")
    assert "row 2, price: price must be positive" in err
    assert (tmp_path / "m.json").read_text() == "old"


def test_evaluate_prints_a_table(run, csv):
    code, out, err = run("evaluate", "--family", "loglinear", "--data", csv, "--folds", "3")
    assert code == 0
    assert "loglinear, fold 3 of 3" in err
    for word in ("RMSE", "mdAPE", "COD", "PRD", "PRB", "price per carat", "loglinear, blend"):
        assert word in out
    assert "from 2 ct" in out


def test_evaluate_answers_machines(run, csv):
    words = ["--family", "loglinear", "--data", csv, "--folds", "2", "--json"]
    answer = json.loads(run("evaluate", *words)[1])
    assert answer["rows"] == 4536
    recorded = next(m for m in answer["models"] if m["listing"] == "recorded")
    assert 0 < recorded["overall"]["log_rmse"] < 0.2
    assert sum(band["n"] for band in recorded["by_carat"].values()) == 4536


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["explain", *STONE[:-2]], "Missing option '--clarity'"),
        (["explain", *STONE[2:], "--carat", "abc"], "carat must be a number of ct, not 'abc'"),
        (["explain", *STONE[2:], "--carat", "nan"], "carat must be between"),
        (["explain", *STONE[2:], "--carat", "0"], "carat must be between"),
        (["explain", *STONE[2:], "--carat", "-1"], "carat must be between"),
        (["explain", *STONE[2:], "--carat", "9" * 5000], "carat must be between"),
        (["explain", *STONE[2:], "--carat", "20"], "carat 20 is outside what this model has"),
        (["explain", *STONE[:-1], "VS3"], "did you mean"),
        (
            ["explain", *STONE[:4], "--color", "\u0415", *STONE[6:]],
            "CYRILLIC CAPITAL LETTER IE",
        ),
        (["explain", *STONE[:4], "--color", "M", *STONE[6:]], "this model knows J, I, H"),
        (["explain", *STONE, "--x", "0"], "x must be between"),
        (["explain", *STONE, "--x", "9"], "does not fit 1.01 ct"),
        (["explain", *STONE, "--listing", "z"], "'z' is not one of 'blend'"),
        (["explain", *STONE, "--reference", "a stone"], "is not a stone"),
        (["explain", *STONE, "--model", "nowhere.json"], "nowhere.json: No such file"),
        (["explain", *STONE, "--model", "."], "Is a directory"),
        (["explain", *STONE, "--html", "/dev/null/x"], "/dev/null"),
        (["compare", "1.01 Ideal E VS1"], "Missing argument 'SECOND'"),
        (["evaluate", "--folds", "1"], "1 is not in the range"),
        (["evaluate", "--data", "nowhere.csv"], "nowhere.csv"),
        (["fit", "--family", "forest", "--out", "x"], "'forest' is not one of"),
        (["fit"], "Missing option '--out'"),
        (["appraise"], "No such command 'appraise'"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(run, words, says):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert says in err
    assert len(err) < 400


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"a,b\n1,2,3\n4", b"{}", b"carat\n1\n"]
)
def test_a_file_that_holds_no_sales_is_refused(run, tmp_path, content):
    (tmp_path / "bad.csv").write_bytes(content)
    code, _, err = run("fit", "--data", "bad.csv", "--out", "m.json")
    assert code == 2
    assert err.splitlines()[-1].startswith("Error: ")
    assert not (tmp_path / "m.json").exists()


def test_a_damaged_model_is_refused_by_name(run, tmp_path, loglinear):
    (tmp_path / "m.json").write_text(loglinear.to_json().replace("0.7", "0.8", 1))
    code, _, err = run("explain", *STONE, "--model", "m.json")
    assert code == 2
    assert err.startswith("Error: m.json: this model document was changed or damaged")


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_help_shows_an_example(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    example = next(
        row for row in out.splitlines() if "diamond-pricing" in row and "Usage" not in row
    )
    assert example.strip().startswith(f"diamond-pricing {command} ")
    assert "\\b" not in out


def test_the_example_of_a_command_runs(run):
    for command in ("explain", "compare"):
        out = run(command, "--help")[1]
        words = next(r for r in out.splitlines() if "diamond-pricing" in r and "Usage" not in r)
        assert run(*shlex.split(words)[1:])[0] == 0


def test_no_command_shows_the_help(run):
    assert "explain" in run("--help")[1]
    code, _, err = run()
    assert code == 2
    assert err.count("\n") > 5


def process(*words: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "diamond_pricing.cli", *words],
        cwd=Path(__file__).parent,  # where no demo has left a model
        capture_output=True,
        text=True,
        **options,
    )


@pytest.mark.parametrize(
    ("command", "missing", "extra"),
    [
        ("inspect s.csv", "pandas", "refit"),
        ("refit --inbox inbox --home home", "pandas", "refit"),
        ("fit --data s.csv --out m.json", "pandas", "fit"),
        ("tally --data s.csv --out s.sums", "scipy", "fit,scale"),
        ("keys create --tenant a --scope quote", "sqlalchemy", "api"),
        ("keys list", "sqlalchemy", "api"),
    ],
)
def test_a_command_without_its_extra_says_which_it_needs(tmp_path, command, missing, extra):
    (tmp_path / "inbox").mkdir()
    for file in (tmp_path / "s.csv", tmp_path / "inbox" / "s.csv"):
        file.write_text("carat,cut,color,clarity,price\n1,Ideal,E,VS1,5000\n")
    code = (
        f"import sys; sys.modules[{missing!r}] = None; from diamond_pricing.cli import main; "
        f"sys.exit(main({command.split()!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert f"pip install 'diamond_pricing[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["serve", "--home", "{}/nohome"],
        ["serve", "--home", ""],
        ["serve", "--database", "no"],
        ["keys", "create", "--tenant", "a", "--scope", "quote", "--home", "{}/nohome"],
        ["keys", "list", "--data", "{}/nowhere"],
        ["keys", "audit", "--data", "{}/nowhere"],
        ["registry", "promote", "3ddb4d29", "--home", "{}/nohome", "--reason", "a test"],
        ["explain", "--home", " ", *STONE],
        ["explain", "--model", "", *STONE],
        ["refit", "--inbox", "{}", "--home", ""],
        ["evaluate", "--data", "{}/sales.parquet", "--family", "gam"],
        ["evaluate", "--data", "{}/sales.parquet", "--seed", "7"],
    ],
)
def test_a_place_that_is_not_there_is_told_and_not_made(words, tmp_path, capsys, monkeypatch):
    """A misspelt home would be served at the packaged prices."""
    monkeypatch.chdir(tmp_path)
    assert main([word.replace("{}", str(tmp_path)) for word in words]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("Error: ")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("secret", ["", "too short"])
def test_a_secret_that_is_none_is_refused(secret, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DIAMOND_PRICING_SECRET", secret)
    words = [
        "keys",
        "create",
        "--tenant",
        "a",
        "--scope",
        "quote",
        "--data",
        str(tmp_path / "d"),
    ]
    assert main(words) == 2
    assert "32 characters" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_the_process_exits_with_the_code():
    assert process("explain", *STONE).returncode == 0
    failed = process("explain", *STONE[:-2])
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m diamond_pricing.cli explain {' '.join(STONE)} | true"
    answer = subprocess.run(
        ["sh", "-c", command],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stderr == ""


def test_a_cold_explain_is_cheap():
    """0.4 s CPU is promised; twice that is failed, since the machine may be busy."""
    process("explain", *STONE)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(3):
        assert process("explain", *STONE).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent / 3 < 0.8


def test_the_active_model_of_a_home_is_the_default(run, loglinear, gam, tmp_path, monkeypatch):
    home = tmp_path / "home"
    for name, model in (("a.json", loglinear), ("b.json", gam)):
        (tmp_path / name).write_text(model.to_json())
        code, said, _ = run(
            "registry", "promote", name, "--home", str(home), "--reason", "a test"
        )
        assert code == 0, said
    assert f"From the active model of {home}" in run("explain", *STONE, "--home", str(home))[1]
    one = run("explain", *STONE, "--home", str(home), "--model", loglinear.sha256[:8])[1]
    assert f"From {loglinear.sha256[:8]} of {home}: loglinear" in one
    monkeypatch.setenv("DIAMOND_PRICING_HOME", str(home))
    two = ("1.01 Ideal E VS1", "0.70 Ideal G VS2")
    assert f"From the active model of {home}" in run("compare", *two)[1]
    assert "From a.json: loglinear" in run("explain", *STONE, "--model", "a.json")[1]
    code, _, said = run("explain", *STONE, "--home", str(tmp_path / "nowhere"))
    assert code == 2
    assert "nowhere" in said


def test_sales_without_a_sound_price_or_grade_can_be_left_out(run, csv, tmp_path):
    lines = csv.read_text().splitlines()[:400]
    head = lines[0].split(",")
    row = dict(zip(head, lines[1].split(","), strict=True))
    for name, value in (("price", "-1"), ("price", "ask"), ("cut", "Splendid"), ("carat", "")):
        lines.append(",".join((row | {name: value}).values()))
    (tmp_path / "some.csv").write_text("\n".join(lines) + "\n")
    words = ["fit", "--data", "some.csv", "--family", "loglinear", "--out", "m.json"]
    code, _, said = run(*words)
    assert (code, "--leave-out" in said or "not a number" in said) == (2, True)
    code, _, said = run(*words, "--leave-out")
    assert code == 0, said
    assert "Left out 4 of 403 sales" in said
    assert PriceModel.from_json((tmp_path / "m.json").read_text()).training.left_out == {
        "no sound price or grade": 4
    }
    frame = pd.read_csv(tmp_path / "some.csv")
    frame["price"] = pd.to_numeric(frame["price"], errors="coerce").fillna(-1)
    frame.to_parquet(tmp_path / "some.parquet")
    words[2] = "some.parquet"
    code, said, error = run(*words, "--leave-out", "--json")
    assert code == 0, error
    assert sum(json.loads(said)["left_out"].values()) == 4


@pytest.mark.parametrize("name", ["nosuch.json", ("../" * 40)[:57] + "passwd.", "0" * 64])
def test_a_model_that_is_not_there_is_one_line(run, gam, tmp_path, name):
    (tmp_path / "a.json").write_text(gam.to_json())
    home = ["--home", str(tmp_path / "home")]
    assert run("registry", "promote", "a.json", *home, "--reason", "a test")[0] == 0
    for words in (["explain", *STONE, "--model", name], ["registry", "show", name]):
        code, _, said = run(*words, *home)
        assert code == 2
        assert len(said.strip().splitlines()) == 1
        assert "Traceback" not in said


def test_an_unfinished_declaration_is_finished_by_filling_in_its_comments(run, tmp_path):
    (tmp_path / "theirs.csv").write_text(
        "Gewicht;Schliff;Farbton;Reinheit;P\n1,01;Ideal;hoch;VS1;5000\n0,7;Good;tief;SI1;2000\n"
    )
    (tmp_path / "s.toml").write_text(
        'decimal = ","\n[columns]\nprice = "P"\n[grades.color]\nhoch = "E"\ntief = "G"\n'
    )
    words = ["inspect", "theirs.csv", "--source", "s.toml"]
    code, declaration, said = run(*words)
    assert code != 0, said
    assert '# color = ""' in declaration
    (tmp_path / "s.toml").write_text(declaration.replace('# color = ""', 'color = "Farbton"'))
    code, _, said = run(*words)
    assert code == 0, said
    assert "2 would be accepted" in said
