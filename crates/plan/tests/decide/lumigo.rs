//! A Lumigo that does not inject, is about to go, or has gone: what is injected stays or goes by rules of its own.

use epiphyte_api::Reason;
use epiphyte_plan::{Decision, Delivery, GateState};

use crate::scenario::{Scenario, active_lumigo, day, deployment};

const OURS: &str = "lumigo-operator.v0.1.0";

/// One container that is injected and one that is not.
fn half_injected() -> Scenario {
    deployment().container("new").injected("app").labelled(OURS)
}

#[test]
fn what_is_injected_stays_while_the_lumigo_is_not_active() {
    half_injected()
        .lumigo_that(|lumigo| lumigo.active = false)
        .is_kept(Reason::LumigoNotActive)
        .container_is("new", Decision::Off, Reason::LumigoNotActive)
        .finds(Reason::LumigoNotActive, "lumigo")
        .stands([GateState::Fails, GateState::Unasked, GateState::Unasked]);
}

#[test]
fn what_is_injected_stays_while_injection_is_switched_off() {
    half_injected().lumigo_that(|lumigo| lumigo.injects = false).is_kept(Reason::LumigoInjectionDisabled).container_is(
        "new",
        Decision::Off,
        Reason::LumigoInjectionDisabled,
    );
}

#[test]
fn a_lumigo_that_does_not_inject_rules_over_the_label_that_turns_injection_on() {
    half_injected()
        .labelled("true")
        .lumigo_that(|lumigo| lumigo.active = false)
        .is_kept(Reason::LumigoNotActive)
        .container_is("new", Decision::Off, Reason::LumigoNotActive)
        .finds(Reason::MarkedByLabel, "");
}

#[test]
fn a_mark_that_turns_off_takes_the_injection_off_whatever_state_the_lumigo_is_in() {
    let states: [fn(&mut epiphyte_plan::LumigoFact); 4] = [
        |lumigo| lumigo.active = false,
        |lumigo| lumigo.injects = false,
        |lumigo| (lumigo.deleting, lumigo.removes_on_deletion) = (true, false),
        |lumigo| lumigo.deleting = true,
    ];
    for state in states {
        half_injected().labelled("false").lumigo_that(state).is_off(Reason::OptedOutByLabel);
        half_injected().annotated("false").lumigo_that(state).is_off(Reason::OptedOutByAnnotation);
        half_injected().namespace_annotated("false").lumigo_that(state).is_off(Reason::NamespaceOptedOutByAnnotation);
        half_injected().disabling_namespace_source("all").lumigo_that(state).is_off(Reason::NamespaceOptedOutBySource);
    }
}

#[test]
fn the_workloads_own_label_overrules_the_namespace_also_where_the_lumigo_is_not_active() {
    half_injected()
        .labelled("true")
        .namespace_annotated("false")
        .lumigo_that(|lumigo| lumigo.active = false)
        .is_kept(Reason::LumigoNotActive);
}

#[test]
fn other_marks_turn_on_whatever_state_the_lumigo_is_in() {
    deployment().annotated("true").lumigo_that(|lumigo| lumigo.active = false).is_on(Delivery::Device);
    deployment().namespace_annotated("true").lumigo_that(|lumigo| lumigo.injects = false).is_on(Delivery::Device);
    deployment()
        .annotated("true")
        .delivered_by("injector")
        .lumigo_that(|lumigo| lumigo.deleting = true)
        .is_on(Delivery::Injector);
}

#[test]
fn a_lumigo_that_is_being_deleted_takes_its_injections_with_it() {
    half_injected().lumigo_that(|lumigo| lumigo.deleting = true).is_off(Reason::LumigoBeingDeleted).container_is(
        "new",
        Decision::Off,
        Reason::LumigoBeingDeleted,
    );
}

#[test]
fn a_lumigo_that_is_being_deleted_leaves_its_injections_where_it_was_asked_to() {
    let leaving = |lumigo: &mut epiphyte_plan::LumigoFact| {
        (lumigo.deleting, lumigo.removes_on_deletion) = (true, false);
    };
    half_injected().lumigo_that(leaving).is_kept(Reason::KeptAfterLumigo).container_is(
        "new",
        Decision::Off,
        Reason::LumigoBeingDeleted,
    );
}

#[test]
fn injections_stay_after_their_lumigo_has_gone_where_our_label_says_that_they_are_ours() {
    half_injected().is_kept(Reason::KeptAfterLumigo).container_is("new", Decision::Off, Reason::NotMarked);
    deployment().injected("app").is_off(Reason::NotMarked);
    deployment().labelled(OURS).is_off(Reason::NotMarked);
}

#[test]
fn injections_that_stayed_survive_a_bare_manifest_that_is_applied_over_them() {
    half_injected().updated(|workload| *workload = deployment().workload).is_kept(Reason::KeptAfterLumigo);
}

#[test]
fn injections_that_stayed_go_when_a_mark_turns_them_off() {
    half_injected().labelled("false").is_off(Reason::OptedOutByLabel);
    half_injected().namespace_annotated("false").is_off(Reason::NamespaceOptedOutByAnnotation);
}

#[test]
fn the_label_that_turns_injection_on_outlives_the_lumigo() {
    let labelled = deployment().labelled("true").injected("app");
    labelled.clone().lumigo_that(|lumigo| lumigo.deleting = true).is_on(Delivery::Injector);
    labelled.is_on(Delivery::Injector);
}

/// A Lumigo, created on the 20th, that leaves alone what was there before it.
fn sparing() -> epiphyte_plan::LumigoFact {
    epiphyte_plan::LumigoFact { injects_existing: false, ..active_lumigo() }
}

fn created_on(the_day: i64) -> Scenario {
    deployment().lumigo_that(|lumigo| *lumigo = sparing()).with(|it| it.workload.created = Some(day(the_day)))
}

#[test]
fn workloads_that_were_there_before_the_lumigo_are_left_as_they_are_where_it_says_so() {
    created_on(19).is_kept(Reason::ExistedBeforeLumigo).finds(Reason::ExistedBeforeLumigo, "lumigo").stands([
        GateState::Holds,
        GateState::Unasked,
        GateState::Unasked,
    ]);
    created_on(20).is_kept(Reason::ExistedBeforeLumigo);
    created_on(21).is_on(Delivery::Injector);
    created_on(19).being_created().is_on(Delivery::Injector);
}

#[test]
fn what_is_injected_already_stays_on_although_it_was_there_before_the_lumigo() {
    created_on(19).container("new").injected("app").is_on(Delivery::Injector).container_is(
        "new",
        Decision::Keep,
        Reason::ExistedBeforeLumigo,
    );
}

#[test]
fn a_mark_of_the_workloads_own_turns_it_on_although_it_was_there_before_the_lumigo() {
    created_on(19).labelled("true").is_on(Delivery::Injector);
    created_on(19).annotated("true").is_on(Delivery::Device);
    created_on(19).namespace_annotated("true").is_on(Delivery::Device);
}

#[test]
fn a_workload_that_was_there_is_injected_where_the_lumigo_asks_for_it() {
    deployment().lumigo().is_on(Delivery::Injector);
}
