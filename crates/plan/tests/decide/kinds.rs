//! Kinds of workload, and Jobs that cannot change.

use epiphyte_api::{Reason, WorkloadKind};
use epiphyte_plan::GateState::{Holds, Unasked};
use epiphyte_plan::{Decision, Delivery};

use crate::scenario::{Scenario, workload};

#[test]
fn devices_serve_four_kinds() {
    for kind in WorkloadKind::ALL {
        let scenario = workload(kind).annotated("true").being_created();
        match kind {
            WorkloadKind::ReplicaSet | WorkloadKind::Job => {
                scenario
                    .is_because(Reason::KindNotServedByDevice, kind.as_str())
                    .is_off(Reason::KindNotServedByDevice)
                    .stands([Holds, Unasked, Unasked]);
                assert_eq!(scenario.verdict().delivery, None);
                assert!(!scenario.verdict().wants_details());
            }
            _ => {
                scenario.is_on(Delivery::Device);
            }
        }
    }
}

fn job() -> Scenario {
    workload(WorkloadKind::Job)
}

#[test]
fn a_job_is_injected_when_it_is_created() {
    job().lumigo().being_created().is_on(Delivery::Injector);
}

#[test]
fn a_job_that_exists_is_never_changed_and_says_so() {
    job().lumigo().is_kept(Reason::JobImmutable);
    job().injected("app").is_kept(Reason::JobImmutable);
    job().container("half").lumigo().injected("app").is_on(Delivery::Injector).container_is(
        "half",
        Decision::Keep,
        Reason::JobImmutable,
    );
}

#[test]
fn a_job_that_exists_and_is_as_it_should_be_has_nothing_to_say() {
    job().is_off(Reason::NotMarked);
    job().lumigo().injected("app").is_on(Delivery::Injector);
    job().injected("app").lumigo_that(|lumigo| lumigo.active = false).is_kept(Reason::LumigoNotActive);
}

#[test]
fn a_job_that_is_injected_by_halves_is_not_mended() {
    job().lumigo().injected("app").app(|app| app.variables = Default::default()).is_kept(Reason::JobImmutable);
}

#[test]
fn a_job_in_a_file_is_not_stored_yet() {
    job().lumigo().with(|it| it.workload.uid = "".into()).is_on(Delivery::Injector);
}
