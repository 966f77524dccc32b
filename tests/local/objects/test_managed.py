"""Managed fields as they are read and written."""

from llmaz.local.objects.managed import Manager, Owned, capped, managers_of, with_managers
from llmaz.local.objects.values import Object

FIELDS = frozenset({("f:spec", "f:a")})


def test_managers_are_written_in_the_servers_order() -> None:
    managers = {
        Manager("b", "Update", "", "v1"): Owned(FIELDS, "v1", "2026-01-01T00:00:01Z"),
        Manager("a", "Update", "", "v1"): Owned(FIELDS, "v1", "2026-01-01T00:00:02Z"),
        Manager("s", "Update", "scale", "v1"): Owned(FIELDS, "v1"),
        Manager("z", "Apply"): Owned(FIELDS, "v1", "2026-01-01T00:00:03Z"),
    }
    entries = with_managers({}, managers)["metadata"]["managedFields"]
    assert [entry["manager"] for entry in entries] == ["z", "s", "b", "a"]


def test_what_is_written_is_read_again() -> None:
    managers = {
        Manager("b", "Update", "status", "v1"): Owned(FIELDS, "v1", "2026-01-01T00:00:01Z"),
        Manager("z", "Apply"): Owned(FIELDS, "v2", "2026-01-01T00:00:03Z"),
    }
    assert managers_of(with_managers({}, managers)) == managers


def test_entries_that_can_not_be_read_count_for_nothing() -> None:
    obj: Object = {"metadata": {"managedFields": [{}, {"operation": "Guess"}, "x"]}}
    assert managers_of(obj) == {}


def test_managers_of_different_versions_are_not_counted_together() -> None:
    managers = {
        Manager(f"m{i}", "Update", "", f"v{i}"): Owned(FIELDS, f"v{i}", None) for i in range(12)
    }
    assert capped(managers) == managers


def test_the_fields_of_the_oldest_managers_are_kept_under_one_name() -> None:
    managers = {
        Manager(f"m{i:02}", "Update", "", "v1"): Owned(
            frozenset({(f"f:{i}",)}), "v1", f"2026-01-01T00:00:{i:02}Z"
        )
        for i in range(12)
    }
    kept = capped(managers)
    bucket = kept[Manager("ancient-changes", "Update", "", "v1")]
    assert len(kept) == 10
    assert bucket.fields == {("f:0",), ("f:1",), ("f:2",)}
    assert bucket.time == "2026-01-01T00:00:02Z"
