//! When a client connects again.

use crate::error::{Failure, Outcome};
use hvloop::event::PolicyError;
use hvloop::{Growth, ReconnectPolicy};
use std::time::Duration;

/// As many attempts as it takes, for `hvloop_reconnect`.
pub const HVLOOP_ENDLESS: u32 = u32::MAX;

/// When a client connects again after a connection, or an attempt, has ended. Copied where it is given.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct hvloop_reconnect {
    /// The first delay, in milliseconds; not 0.
    pub min_delay_ms: u32,
    /// What the delays grow to, in milliseconds; not less than the first.
    pub max_delay_ms: u32,
    /// How they grow: 0 not at all, 1 by the first delay each time, 2 and more times this number each time.
    pub delay_policy: u32,
    /// How many attempts may follow one another without a session that lasted 5 s; `HVLOOP_ENDLESS`: any number.
    pub max_retries: u32,
    /// How much of each delay is left to chance, from 0 to 1: it becomes shorter by so much at the most.
    pub jitter: f64,
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        Self::argument(error.to_string())
    }
}

/// The policy of C's; NULL: none.
///
/// # Errors
///
/// It contradicts itself.
///
/// # Safety
///
/// NULL, or a policy.
pub(crate) unsafe fn policy(
    reconnect: *const hvloop_reconnect,
) -> Outcome<Option<ReconnectPolicy>> {
    if reconnect.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's word.
    let reconnect = unsafe { reconnect.read() };
    let growth = match reconnect.delay_policy {
        0 => Growth::Fixed,
        1 => Growth::Linear,
        factor => Growth::Exponential(factor),
    };
    let retries = reconnect.max_retries;
    let min = Duration::from_millis(reconnect.min_delay_ms.into());
    let max = Duration::from_millis(reconnect.max_delay_ms.into());
    let policy = ReconnectPolicy::exponential(min, max)
        .with_growth(growth)
        .with_max_retries((retries != HVLOOP_ENDLESS).then_some(retries))
        .with_jitter(reconnect.jitter);
    policy.validate()?;
    Ok(Some(policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies() {
        let made = |reconnect: hvloop_reconnect| {
            // SAFETY: it is there.
            unsafe { policy(&raw const reconnect) }.map(|policy| policy.expect("one"))
        };
        let good = hvloop_reconnect {
            min_delay_ms: 1000,
            max_delay_ms: 10_000,
            delay_policy: 2,
            max_retries: HVLOOP_ENDLESS,
            jitter: 0.0,
        };
        let second = Duration::from_secs(1);
        let endless = ReconnectPolicy::exponential(second, 10 * second).with_jitter(0.0);
        assert_eq!(made(good).expect("good"), endless);
        let few = hvloop_reconnect {
            delay_policy: 1,
            max_retries: 3,
            ..good
        };
        let linear = endless.with_growth(Growth::Linear).with_max_retries(3);
        assert_eq!(made(few).expect("good"), linear);
        let fixed = hvloop_reconnect {
            delay_policy: 0,
            ..good
        };
        assert_eq!(
            made(fixed).expect("good"),
            endless.with_growth(Growth::Fixed)
        );
        for bad in [
            hvloop_reconnect {
                min_delay_ms: 0,
                ..good
            },
            hvloop_reconnect {
                max_delay_ms: 999,
                ..good
            },
            hvloop_reconnect {
                jitter: f64::NAN,
                ..good
            },
        ] {
            assert!(made(bad).is_err(), "{bad:?}");
        }
        // SAFETY: NULL is none.
        assert_eq!(unsafe { policy(std::ptr::null()) }.expect("none"), None);
    }
}
