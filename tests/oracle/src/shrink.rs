// SPDX-License-Identifier: GPL-2.0

//! The shortest sequence that still fails: events are left out, many at first, then one by one.

use crate::event::{Event, Sequence};

/// Leaves out what the failure does not need. `fails` tells whether a sequence still does.
pub fn shrink<E>(
    sequence: &Sequence,
    mut fails: impl FnMut(&Sequence) -> Result<bool, E>,
) -> Result<Sequence, E> {
    let mut shortest = sequence.clone();
    let mut chunk = shortest.events.len().div_ceil(2);
    while chunk > 0 {
        let before = shortest.events.len();
        let mut begin = 0;
        while begin < shortest.events.len() {
            let mut shorter = shortest.clone();
            let end = shortest.events.len().min(begin + chunk);
            shorter.events.drain(begin..end);
            if fails(&shorter)? {
                shortest = shorter;
            } else {
                begin += chunk;
            }
        }
        if chunk > 1 || shortest.events.len() == before {
            chunk /= 2;
        }
    }
    simplify(&mut shortest, &mut fails)?;
    Ok(shortest)
}

/// Leaves out frames of two senders.
fn simplify<E>(
    sequence: &mut Sequence,
    fails: &mut impl FnMut(&Sequence) -> Result<bool, E>,
) -> Result<(), E> {
    for number in 0..sequence.events.len() {
        for side in 0..2 {
            let mut frame = 0;
            loop {
                let mut shorter = sequence.clone();
                let Event::Both(first, second) = &mut shorter.events[number] else {
                    break;
                };
                let frames = if side == 0 { first } else { second };
                if frame >= frames.len() || frames.len() == 1 {
                    break;
                }
                frames.remove(frame);
                if fails(&shorter)? {
                    *sequence = shorter;
                } else {
                    frame += 1;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_events_that_matter() {
        let text = "setup hub offload off loaded -\n".to_owned()
            + &"settle\nage\nmove G11 host2\n".repeat(9)
            + "link host1 off\nage\nexclusive on\nsettle\n";
        let sequence: Sequence = text.parse().unwrap();
        let needed: Vec<Event> = ["move G11 host2", "link host1 off", "exclusive on"]
            .map(|event| event.parse().unwrap())
            .into();
        let fails = |sequence: &Sequence| {
            let mut events = sequence.events.iter();
            Ok::<_, ()>(
                needed
                    .iter()
                    .all(|event| events.any(|other| other == event)),
            )
        };
        assert_eq!(shrink(&sequence, fails).unwrap().events, needed);
    }
}
