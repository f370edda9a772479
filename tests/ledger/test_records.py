import pytest
from examples import claim, record

from mconn.errors import CheckpointError
from mconn.ledger import merge, read_records, write_records


def test_records_come_back_from_their_file(tmp_path):
    kept = {
        "swans:smoke": record("swans:smoke", claim("a", interval="[0, 2] over pairs")),
        "nests": record("nests", claim("b", holds=False)),
    }
    write_records(tmp_path / "claims.json", kept)
    back = read_records(tmp_path / "claims.json")
    assert back == kept
    assert list(back) == ["nests", "swans:smoke"]
    assert [back[study].size for study in back] == ["full", "smoke"]
    assert [back[study].holding for study in back] == [0, 1]


def test_there_need_not_be_a_file(tmp_path):
    assert read_records(tmp_path / "claims.json") == {}


@pytest.mark.parametrize("text", ["[]", "{", '{"swans": {"claims": [{}]}}', '{"swans": 1}'])
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / "claims.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"claims\.json holds no records of runs"):
        read_records(tmp_path / "claims.json")


def test_later_runs_overlay_earlier_ones():
    old, new = (record("swans", reported=f"202{year}-01-01T00:00:00+00:00") for year in (5, 6))
    other = record("nests")
    assert merge({"swans": old}, {"swans": new, "nests": other}) == {"swans": new, "nests": other}
    assert merge({"swans": new}, {"swans": old}) == {"swans": new}
