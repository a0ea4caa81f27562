import pytest
from tests.flows.flow import Flow, removed, kept, reasons
@pytest.fixture
def flow(monkeypatch,tmp_path): return Flow(monkeypatch,tmp_path)
def test_a(flow):
    ids=flow.several(8)
    r=flow.clean(keep_previous=2)
    assert removed(r)==set(ids[2:]), r
    print(flow.view.told[:4], r.problems, r.warnings)
def test_prompt(flow):
    ids=flow.several(8)
    r=flow.asks(lambda: flow.home.add_instance(ids[5]), keep_previous=2)
    assert kept(r)=={ids[5]}
    assert removed(r)==set(ids[2:])-{ids[5]}
def test_q(flow):
    ids=flow.several(8)
    r=flow.clean(keep_previous=2, quarantine=3)
    print({k[1]:v.outcome for k,v in r.amis.items()}, r.problems)
    flow.time.seconds+=86400*4
    r=flow.clean(keep_previous=2, quarantine=3)
    print({k[1]:v.outcome for k,v in r.amis.items()}, r.problems, reasons(r))
