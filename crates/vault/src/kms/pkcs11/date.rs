//! `CKA_START_DATE`: the day a version was made, in UTC.

use cryptoki::types::Date;
use halfkey_core::UnixMillis;

const DAY_MS: i64 = 86_400_000;

/// The day of `at`; `None` outside the years 0 to 9999.
pub(super) fn day_of(at: UnixMillis) -> Option<Date> {
    let text = at.to_string();
    let mut fields = text.get(..10)?.split('-');
    let (year, month, day) = (fields.next()?, fields.next()?, fields.next()?);
    Date::new_from_str_slice(year, month, day).ok()
}

/// The beginning of that day; `None` when it is empty or no date.
pub(super) fn start_of(date: &Date) -> Option<UnixMillis> {
    let number = |digits: &[u8]| core::str::from_utf8(digits).ok()?.parse::<u16>().ok();
    let (year, month, day) = (
        number(&date.year)?,
        number(&date.month)?,
        number(&date.day)?,
    );
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_since_1970(year.into(), month.into(), day.into());
    days.checked_mul(DAY_MS).map(UnixMillis)
}

/// Days of the Gregorian calendar. The year is taken to begin in March, so that the leap day is its
/// last.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "sixteen-bit inputs are far from the limits of 64 bits"
)]
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    /// From 1 March of year 0 to 1 January 1970.
    const EPOCH: i64 = 719_468;
    let years = if month > 2 { year } else { year - 1 };
    let months = (month + 9) % 12;
    let leap_days = years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    365 * years + leap_days + (153 * months + 2) / 5 + day - 1 - EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_comes_back_as_its_beginning() {
        // Every 9th day over 250 years, leap days and ends of centuries among them.
        for day in (-40_000..50_000).step_by(9) {
            let at = UnixMillis(day * DAY_MS + 12_345_678);
            let read = start_of(&day_of(at).unwrap()).unwrap();
            assert_eq!(read, UnixMillis(day * DAY_MS), "{at}");
        }
    }

    #[test]
    fn start_of_rejects_what_is_no_date() {
        for (year, month, day) in [
            (*b"\0\0\0\0", *b"\0\0", *b"\0\0"),
            (*b"2026", *b"13", *b"01"),
            (*b"2026", *b"00", *b"01"),
            (*b"2026", *b"01", *b"32"),
            (*b"20x6", *b"01", *b"01"),
        ] {
            assert_eq!(start_of(&Date::new(year, month, day)), None);
        }
    }
}
