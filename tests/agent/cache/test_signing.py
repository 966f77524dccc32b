"""Signed addresses: what they cover, and what they never show."""

from datetime import UTC, datetime
from functools import partial

from llmaz.agent.cache.sources.signing import Address, Keys, signed_oss, signed_v4

AWS = Keys(key_id="AKIAIOSFODNN7EXAMPLE", secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


def test_a_signature_of_version_4_depends_on_all_that_it_covers() -> None:
    address = Address(scheme="https", host="b.s3.amazonaws.com", path="/m 1/ü.gguf")
    now = datetime(2013, 5, 24, tzinfo=UTC)
    url = signed_v4(address, {"list-type": "2"}, keys=AWS, region="us-east-1", now=now)
    assert url.startswith("https://b.s3.amazonaws.com/m%201/%C3%BC.gguf?X-Amz-Algorithm=")
    assert "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" in url
    assert AWS.secret not in url
    others = {
        signed_v4(address, {}, keys=AWS, region="us-east-1", now=now),
        signed_v4(address, {"list-type": "2"}, keys=AWS, region="eu-west-1", now=now),
        signed_v4(
            address, {"list-type": "2"}, keys=AWS, region="us-east-1", now=now, method="HEAD"
        ),
    }
    assert url not in others
    assert len(others) == 3


def test_a_signature_of_version_4_is_the_one_that_amazon_documents() -> None:
    url = signed_v4(
        Address(scheme="https", host="examplebucket.s3.amazonaws.com", path="/test.txt"),
        {},
        keys=AWS,
        region="us-east-1",
        now=datetime(2013, 5, 24, tzinfo=UTC),
        valid_seconds=86400,
    )
    right = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    assert url.endswith(f"&X-Amz-Signature={right}")


def test_headers_that_are_sent_are_signed() -> None:
    address = Address(scheme="https", host="b.s3.amazonaws.com", path="/m")
    sign = partial(
        signed_v4, address, {}, keys=AWS, region="r", now=datetime(2013, 5, 24, tzinfo=UTC)
    )
    url = sign(headers={"x-amz-checksum-mode": "ENABLED"})
    assert "X-Amz-SignedHeaders=host%3Bx-amz-checksum-mode" in url
    other = sign(headers={"x-amz-checksum-mode": "DISABLED"})
    assert url.rpartition("=")[2] != other.rpartition("=")[2]


def test_an_oss_signature_ends_after_an_hour() -> None:
    keys = Keys(key_id="44CF9590006BF252F707", secret="OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV")
    address = Address(scheme="https", host="oss-example.oss-cn-hangzhou.aliyuncs.com", path="/m")
    url = signed_oss(
        address, {}, keys=keys, resource="/oss-example/m", now=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert "OSSAccessKeyId=44CF9590006BF252F707&Expires=1767229200&Signature=" in url
    assert keys.secret not in repr(keys)
