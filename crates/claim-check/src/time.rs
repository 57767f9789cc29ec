//! Timestamps and durations (CEL specification, "Timestamps and Durations").
//!
//! A timestamp is a point between 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z, a duration a number of
//! nanoseconds in 64 bits, about ±292 years. What leaves these ranges is an error. The calendar is that of the `jiff` crate,
//! zones come from the database that is compiled into it, so that every machine decides alike.

use std::fmt::{self, Display, Formatter};
use std::sync::OnceLock;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZoneDatabase;

use crate::error::ErrorKind;
use crate::item::Item;
use crate::semantics::Outcome;

const NANOS: i128 = 1_000_000_000;
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z in seconds since the epoch.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp {
    seconds: i64,
    nanos: u32,
}

/// A span of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Duration(pub(crate) i64);

impl Timestamp {
    /// From seconds since the epoch and nanoseconds of the second.
    pub(crate) fn new(seconds: i64, nanos: u32) -> Result<Self, ErrorKind> {
        if SECONDS.contains(&seconds) && i128::from(nanos) < NANOS {
            Ok(Self { seconds, nanos })
        } else {
            Err(ErrorKind::Overflow)
        }
    }

    pub(crate) fn seconds(self) -> i64 {
        self.seconds
    }

    pub(crate) fn nanos(self) -> u32 {
        self.nanos
    }

    fn from_total(total: i128) -> Result<Self, ErrorKind> {
        let seconds = i64::try_from(total.div_euclid(NANOS)).map_err(|_| ErrorKind::Overflow)?;
        Self::new(seconds, total.rem_euclid(NANOS) as u32)
    }

    /// Nanoseconds since the epoch.
    fn total(self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanos)
    }

    pub(crate) fn plus(self, nanoseconds: i128) -> Result<Self, ErrorKind> {
        Self::from_total(self.total() + nanoseconds)
    }

    pub(crate) fn since(self, other: Self) -> Result<Duration, ErrorKind> {
        Duration::from_total(self.total() - other.total())
    }

    /// RFC 3339 §5.6, with upper-case `T` and `Z`.
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorKind> {
        let parts = parse_rfc3339(text).ok_or(ErrorKind::BadConversion)?;
        let since = parts.local.duration_since(EPOCH);
        let seconds = since.as_secs() - parts.offset;
        Self::new(seconds, parts.nanos)
    }

    /// The calendar's view of the time in a zone that is this many seconds ahead of UTC.
    fn civil(self, offset: i64) -> Result<DateTime, ErrorKind> {
        let since = SignedDuration::new(self.seconds + offset, self.nanos as i32);
        EPOCH.checked_add(since).map_err(|_| ErrorKind::Overflow)
    }
}

struct Rfc3339 {
    local: DateTime,
    nanos: u32,
    /// Seconds ahead of UTC.
    offset: i64,
}

fn parse_rfc3339(text: &str) -> Option<Rfc3339> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?.strip_prefix('T')?);
    let (time, rest) = (rest.get(..8)?, rest.get(8..)?);
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("0", rest),
    };
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
    let offset = match zone {
        "Z" => 0,
        // A sign must be there; `zone_offset` does not ask for one.
        _ if zone.starts_with(['+', '-']) => zone_offset(zone)?,
        _ => return None,
    };
    let [month, day, hour, minute, second] =
        [month, day, hour, minute, second].map(|number| number as i8);
    let local = DateTime::new(year as i16, month, day, hour, minute, second, 0).ok()?;
    Some(Rfc3339 {
        local,
        nanos,
        offset,
    })
}

/// Numbers of fixed widths with a separator between them.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[u16; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(separator);
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// `+01:00`, `-02:30` or `02:00` in seconds.
fn zone_offset(zone: &str) -> Option<i64> {
    let (sign, digits) = match zone.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, zone.strip_prefix('+').unwrap_or(zone)),
    };
    let [hours, minutes] = numbers(digits, ':', [2, 2])?;
    let valid = hours < 24 && minutes < 60;
    valid.then(|| sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
}

impl Duration {
    pub(crate) fn from_total(nanoseconds: i128) -> Result<Self, ErrorKind> {
        i64::try_from(nanoseconds)
            .map(Self)
            .map_err(|_| ErrorKind::Overflow)
    }

    /// `1h30m`, `-1.5s`, `100ms`: numbers with units, one sign in front.
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorKind> {
        let (sign, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        let mut total = 0i128;
        loop {
            let (nanoseconds, behind) = parse_part(rest)?;
            total += nanoseconds;
            if total > i128::from(i64::MAX) + 1 {
                return Err(ErrorKind::Overflow);
            }
            if behind.is_empty() {
                return Self::from_total(sign * total);
            }
            rest = behind;
        }
    }
}

/// One number with its unit, in nanoseconds, and the text behind it.
fn parse_part(text: &str) -> Result<(i128, &str), ErrorKind> {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", NANOS),
        ("m", 60 * NANOS),
        ("h", 3_600 * NANOS),
    ];
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(ErrorKind::BadConversion);
    }
    let (unit, nanoseconds) = UNITS
        .into_iter()
        .find(|(unit, _)| rest.starts_with(unit))
        .ok_or(ErrorKind::BadConversion)?;
    // More than 18 digits in front of the point are too many nanoseconds, behind it they are less than one.
    let whole = whole.trim_start_matches('0');
    if whole.len() > 18 {
        return Err(ErrorKind::Overflow);
    }
    let fraction = &fraction[..fraction.len().min(18)];
    let number = |digits: &str| {
        digits
            .bytes()
            .fold(0i128, |n, digit| n * 10 + i128::from(digit - b'0'))
    };
    let scale = 10i128.pow(fraction.len() as u32);
    let value = number(whole) * nanoseconds + number(fraction) * nanoseconds / scale;
    Ok((value, &rest[unit.len()..]))
}

/// RFC 3339 in UTC, with as many digits of the second as there are.
impl Display for Timestamp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // In range by construction.
        let local = self.civil(0).unwrap_or(EPOCH);
        let (date, time) = (local.date(), local.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T",
            date.year(),
            date.month(),
            date.day()
        )?;
        write!(
            f,
            "{:02}:{:02}:{:02}",
            time.hour(),
            time.minute(),
            time.second()
        )?;
        write_fraction(f, self.nanos)?;
        f.write_str("Z")
    }
}

/// Seconds, with as many digits behind the point as there are.
impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let total = self.0.unsigned_abs();
        write!(f, "{sign}{}", total / 1_000_000_000)?;
        write_fraction(f, (total % 1_000_000_000) as u32)?;
        f.write_str("s")
    }
}

fn write_fraction(f: &mut Formatter<'_>, nanos: u32) -> fmt::Result {
    if nanos == 0 {
        return Ok(());
    }
    let digits = format!("{nanos:09}");
    write!(f, ".{}", digits.trim_end_matches('0'))
}

/// What the accessors read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    FullYear,
    Month,
    DayOfYear,
    DayOfMonth,
    Date,
    DayOfWeek,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// `value.getHours()` and the like; of a timestamp in UTC or in a zone, of a duration as a total. Months and days count
/// from 0, but `getDate()` from 1.
pub(crate) fn part<'a>(part: Part, value: &Item<'_>, zone: Option<&str>) -> Outcome<'a> {
    let number = match (value, zone) {
        (Item::Timestamp(timestamp), zone) => {
            let offset = zone.map_or(Ok(0), |zone| offset(zone, *timestamp))?;
            of_civil(part, timestamp.civil(offset)?)
        }
        (Item::Duration(Duration(nanoseconds)), None) => match part {
            Part::Hours => nanoseconds / 3_600_000_000_000,
            Part::Minutes => nanoseconds / 60_000_000_000,
            Part::Seconds => nanoseconds / 1_000_000_000,
            Part::Milliseconds => nanoseconds % 1_000_000_000 / 1_000_000,
            _ => return Err(ErrorKind::NoSuchOverload),
        },
        _ => return Err(ErrorKind::NoSuchOverload),
    };
    Ok(Item::Int(number))
}

fn of_civil(part: Part, local: DateTime) -> i64 {
    match part {
        Part::FullYear => local.year().into(),
        Part::Month => i64::from(local.month()) - 1,
        Part::DayOfYear => i64::from(local.day_of_year()) - 1,
        Part::DayOfMonth => i64::from(local.day()) - 1,
        Part::Date => local.day().into(),
        Part::DayOfWeek => local.weekday().to_sunday_zero_offset().into(),
        Part::Hours => local.hour().into(),
        Part::Minutes => local.minute().into(),
        Part::Seconds => local.second().into(),
        Part::Milliseconds => i64::from(local.subsec_nanosecond()) / 1_000_000,
    }
}

/// Seconds that a zone is ahead of UTC at a time.
fn offset(zone: &str, timestamp: Timestamp) -> Result<i64, ErrorKind> {
    if let Some(offset) = zone_offset(zone) {
        return Ok(offset);
    }
    static ZONES: OnceLock<TimeZoneDatabase> = OnceLock::new();
    let zone = ZONES
        .get_or_init(TimeZoneDatabase::bundled)
        .get(zone)
        .map_err(|_| ErrorKind::UnknownZone)?;
    // The last hours of the year 9999 are beyond what jiff calls a timestamp.
    let last = jiff::Timestamp::MAX.as_second();
    let at = jiff::Timestamp::from_second(timestamp.seconds.min(last))
        .map_err(|_| ErrorKind::Overflow)?;
    Ok(zone.to_offset(at).seconds().into())
}
