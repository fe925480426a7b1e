use jiff::ToSpan;

use super::*;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn names() -> Vec<String> {
    ["epiphyte-webhook.lumigo-system.svc", "127.0.0.1", "::1"].map(str::to_owned).to_vec()
}

fn lifetimes() -> Lifetimes {
    Lifetimes::new(DAY * 9, DAY * 90)
}

fn start() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().expect("a time")
}

fn day(number: i64) -> Timestamp {
    start() + (number * 24).hours()
}

fn issued() -> Material {
    Material::issue(&names(), lifetimes(), start()).expect("it can be made")
}

fn step(material: &Material, trust: Trust, now: Timestamp) -> Option<Material> {
    material.step(&names(), lifetimes(), trust, now).expect("it can be made")
}

fn is_trusted(material: &Material, by: &[Certificate], now: Timestamp) -> bool {
    material.certificate().is_trusted(by, &names(), now)
}

#[test]
fn what_is_issued_is_trusted_by_its_bundle_at_once() {
    let material = issued();
    assert!(is_trusted(&material, material.authorities(), start()));
    assert!(
        material.certificate().is_trusted(material.authorities(), &names(), start() - 4.minutes()),
        "clocks differ"
    );
    assert!(!material.certificate().is_trusted(material.authorities(), &["elsewhere".to_owned()], start()));
}

#[test]
fn what_is_written_reads_back_the_same() {
    let material = issued();
    let with_two = step(&material, Trust::Published, day(61)).and_then(|next| step(&next, Trust::Pending, day(62)));
    for material in [Some(material), with_two].into_iter().flatten() {
        let texts = material.texts();
        let read = Material::read(Texts {
            bundle: &texts.bundle,
            authority_key: &texts.authority_key,
            certificate: &texts.certificate,
            key: &texts.key,
        });
        assert_eq!(read.expect("it reads"), material);
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (one, other) = (issued().texts(), issued().texts());
    let read = |authority_key, key| {
        Material::read(Texts { bundle: &one.bundle, authority_key, certificate: &one.certificate, key })
    };
    assert!(read(&one.authority_key, &one.key).is_ok());
    assert!(read(&other.authority_key, &one.key).is_err());
    assert!(read(&one.authority_key, &other.key).is_err());
    assert!(read(&one.authority_key, "").is_err());
}

#[test]
fn keys_do_not_show_in_debug_output() {
    assert!(!format!("{:?}", issued()).contains("PRIVATE KEY--"));
}

#[test]
fn nothing_changes_before_two_thirds_of_a_life() {
    assert_eq!(step(&issued(), Trust::Published, day(5)), None);
    assert_eq!(step(&issued(), Trust::Pending, day(5)), None);
}

#[test]
fn a_serving_certificate_is_renewed_by_the_same_authority() {
    let material = issued();
    let next = step(&material, Trust::Published, day(7)).expect("it is due");
    assert_eq!(next.authorities(), material.authorities());
    assert!(is_trusted(&next, material.authorities(), day(15)));
}

#[test]
fn a_new_authority_signs_only_when_it_is_trusted() {
    let old = Material::issue(&names(), Lifetimes::new(DAY * 90, DAY * 90), start()).expect("it can be made");
    let joined = step(&old, Trust::Published, day(61)).expect("the authority is due");
    assert_eq!(joined.authorities().len(), 2);
    assert_eq!(joined.certificate(), old.certificate(), "the old one serves on");
    assert_eq!(step(&joined, Trust::Pending, day(61)), None);

    let signed = step(&joined, Trust::Published, day(61)).expect("the new authority is trusted");
    assert!(is_trusted(&signed, &joined.authorities()[..1], day(61)));
    assert_eq!(step(&signed, Trust::Published, day(61)), None);

    let alone = step(&signed, Trust::Published, day(91)).expect("the old authority is over");
    assert_eq!(alone.authorities().len(), 1);
}

#[test]
fn a_certificate_that_is_of_no_use_is_replaced_whether_trusted_or_not() {
    let material = issued();
    let elsewhere = vec!["10.0.0.1".to_owned()];
    let moved = material.step(&elsewhere, lifetimes(), Trust::Pending, day(1)).expect("it can be made");
    let moved = moved.expect("the names changed");
    assert_eq!(moved.authorities(), material.authorities());
    assert!(moved.certificate().is_trusted(material.authorities(), &elsewhere, day(1)));

    let expired = step(&material, Trust::Pending, day(10)).expect("it is over");
    assert!(is_trusted(&expired, material.authorities(), day(10)));
}

#[test]
fn after_a_long_sleep_everything_is_made_anew() {
    let woken = step(&issued(), Trust::Pending, day(400)).expect("all is over");
    assert!(is_trusted(&woken, woken.authorities(), day(400)));
    assert_eq!(woken.authorities().len(), 1);
}

/// Five lives of an authority, looked after every six hours, with an API server that knows what was published the time
/// before.
#[test]
fn the_serving_certificate_is_trusted_at_every_moment() {
    let mut material = issued();
    let mut known = material.authorities().to_vec();
    let (mut issued_certificates, mut issued_authorities) = (0, 0);
    for hour in (0..5 * 90 * 24_i64).step_by(6) {
        let now = start() + hour.hours();
        let published = known == material.authorities();
        known = material.authorities().to_vec();
        let Some(next) = step(&material, if published { Trust::Published } else { Trust::Pending }, now) else {
            continue;
        };
        let good: Vec<Certificate> = known.iter().filter(|authority| !authority.is_over(now)).cloned().collect();
        assert!(is_trusted(&next, &good, now), "after {hour} hours");
        assert!(next.authorities().len() <= 2);
        issued_certificates += i32::from(next.certificate() != material.certificate());
        issued_authorities += i32::from(next.authorities()[0] != material.authorities()[0]);
        material = next;
    }
    assert!((6..=8).contains(&issued_authorities), "{issued_authorities}");
    assert!((70..=88).contains(&issued_certificates), "{issued_certificates}");
}

#[test]
fn one_looks_often_enough_for_short_lives() {
    assert_eq!(lifetimes().interval(), Duration::from_secs(10));
    let short = Lifetimes::new(SignedDuration::from_secs(20), SignedDuration::from_secs(60));
    assert_eq!(short.interval(), Duration::from_secs(1));
    assert!(Lifetimes::new(SignedDuration::ZERO, SignedDuration::ZERO).interval() >= Duration::from_millis(500));
}
