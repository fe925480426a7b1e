//! What planning decides, told as scenarios.

mod bad_input;
mod conditions;
mod injector;
mod kinds;
mod lumigo;
mod marks;
mod never;
mod offers;
mod scenario;
mod totality;
