"""What is PostgreSQL's own: addresses, one holder of a campaign, and messages that say what to do."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from bo.postgres_database import ADDRESS, read_url, schema_name
from bo.store import Store
from bo.store_place import open_store
from graphs.errors import CampaignBusy, InvalidOption, StoreError

NewDatabase = Callable[[], str]


def test_the_folder_leads_to_the_database_without_telling_the_password(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    url = new_database().replace("tester@", "tester:secret@")
    open_store(tmp_path, url, create=True).close()
    assert "secret" not in (tmp_path / ADDRESS).read_text()
    with closing(open_store(tmp_path)) as store:
        assert isinstance(store, Store)
        assert store.path == tmp_path / ADDRESS
        assert "secret" not in store.database.name


def test_a_folder_has_one_store(new_database: NewDatabase, tmp_path: Path) -> None:
    first, second = new_database(), new_database()
    open_store(tmp_path, first, create=True).close()
    with pytest.raises(StoreError, match=r"its campaign is in .*, not in .*; choose another --dir"):
        open_store(tmp_path, second, create=True)
    embedded = tmp_path / "embedded"
    embedded.mkdir()
    open_store(embedded, create=True).close()
    with pytest.raises(StoreError, match=r"its campaign is in campaign.sqlite; leave out --store or choose"):
        open_store(embedded, first, create=True)


@pytest.mark.parametrize("url", ["mysql://a/b", "sqlite:///x.sqlite", "campaign.sqlite", "postgresql://a:port/b", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidOption, match="expected postgresql://user@host/database; without --store"):
        read_url(url)


def test_the_usual_spellings_are_taken() -> None:
    for spelling in ("postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"):
        assert read_url(f"{spelling}://me@host/db") == sa.make_url("postgresql+psycopg://me@host/db")


def test_no_server_is_one_clear_error(tmp_path: Path) -> None:
    match = r"no connection .*refused.*; check --store and that the server runs"
    with pytest.raises(StoreError, match=match) as caught:
        open_store(tmp_path, "postgresql://me:secret@127.0.0.1:9/db", create=True)
    assert "secret" not in str(caught.value)
    assert "sqlite" not in str(caught.value).lower()
    assert not (tmp_path / ADDRESS).exists()


def test_no_database_is_one_clear_error(postgres_server: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"database \"nothing\" does not exist.*check --store"):
        open_store(tmp_path, postgres_server.replace("/postgres?", "/nothing?"), create=True)


def test_a_schema_of_another_program_is_left_alone(new_database: NewDatabase, tmp_path: Path) -> None:
    url = new_database()
    engine = sa.create_engine(read_url(url))
    with engine.begin() as db:
        db.exec_driver_sql(f'CREATE SCHEMA "{schema_name(tmp_path.name)}"')
        db.exec_driver_sql(f'CREATE TABLE "{schema_name(tmp_path.name)}".photos (name text)')
    engine.dispose()
    with pytest.raises(StoreError, match="no archgen campaign"):
        open_store(tmp_path, url, create=True)


def test_without_a_driver_one_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InvalidOption, match=r"pip install 'archgen\[postgres\]'"):
        open_store(tmp_path, "postgresql://me@host/db", create=True)


def test_one_holds_a_campaign_or_several_share_it(new_database: NewDatabase, tmp_path: Path) -> None:
    url = new_database()
    with closing(open_store(tmp_path, url, create=True)) as first, closing(open_store(tmp_path)) as second:
        with first.database.hold(False):
            for shared in (False, True):
                with pytest.raises(CampaignBusy, match=r"another process works on this campaign.*--share"):
                    second.database.hold(shared).__enter__()
        with first.database.hold(True), second.database.hold(True):
            third = open_store(tmp_path)
            with pytest.raises(CampaignBusy), closing(third):
                third.database.hold(False).__enter__()
        with second.database.hold(False):
            pass


HOLDER = """
import sys
from pathlib import Path
from bo.store_place import open_store
with open_store(Path(sys.argv[1])).database.hold(False):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_hold_goes_with_its_process(new_database: NewDatabase, tmp_path: Path) -> None:
    with closing(open_store(tmp_path, new_database(), create=True)) as store:
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            with pytest.raises(CampaignBusy):
                store.database.hold(False).__enter__()
            process.kill()
        for _ in range(100):
            try:
                with store.database.hold(False):
                    return
            except CampaignBusy:
                continue
        pytest.fail("the server kept the lock of a process that is gone")
