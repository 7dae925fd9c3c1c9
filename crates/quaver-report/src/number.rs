//! Numbers as text: exactly, for files, and to a few significant digits, for people.

/// The shortest text that reads back as the same number; `inf` and `-inf` for the infinities.
pub(crate) fn exact(value: f64) -> String {
    // Debug and not Display, which writes 1e-300 with all its zeros.
    format!("{value:?}")
}

/// The number to `digits` significant digits, in ASCII: `0.9850`, `1.234e-7`, `inf`.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    match rounded(value, digits) {
        Rounded::Plain(text) => text,
        Rounded::Scientific(mantissa, exponent) => format!("{mantissa}e{exponent}"),
        Rounded::Infinite if value < 0.0 => "-inf".to_owned(),
        Rounded::Infinite => "inf".to_owned(),
    }
}

/// The number to `digits` significant digits, as it is typeset: `0.9850`, `1.234×10⁻⁷`, `−∞`.
pub fn typeset(value: f64, digits: usize) -> String {
    match rounded(value, digits) {
        Rounded::Plain(text) => minus(&text),
        Rounded::Scientific(mantissa, exponent) => {
            format!("{}×10{}", minus(&mantissa), superscript(exponent))
        }
        Rounded::Infinite if value < 0.0 => "−∞".to_owned(),
        Rounded::Infinite => "∞".to_owned(),
    }
}

/// A whole number with its thousands set apart: `12,345`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The text with the minus sign of typography, which is as wide as a digit.
pub(crate) fn minus(text: &str) -> String {
    text.replacen('-', "−", 1)
}

/// `−12` as `⁻¹²`.
pub(crate) fn superscript(exponent: i32) -> String {
    let raise = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '0' | '4'..='9' => char::from_u32('⁰' as u32 + (c as u32 - '0' as u32)).unwrap_or(c),
        other => other,
    };
    exponent.to_string().chars().map(raise).collect()
}

/// A number that ends in a superscript, as its base and the exponent in ordinary digits.
pub(crate) fn split_power(text: &str) -> (&str, String) {
    const RAISED: &str = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹";
    const PLAIN: &str = "−0123456789";
    let lower = |c: char| {
        let pairs = RAISED.chars().zip(PLAIN.chars());
        pairs
            .into_iter()
            .find_map(|(raised, plain)| (raised == c).then_some(plain))
    };
    match text.find(|c| lower(c).is_some()) {
        Some(start) => (
            &text[..start],
            text[start..].chars().filter_map(lower).collect(),
        ),
        None => (text, String::new()),
    }
}

/// How the numbers of one column are written, so that they can be compared down the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnFormat {
    /// All with the same number of decimals, their points below each other.
    Decimals(usize),
    /// Each to its own significant digits: the numbers differ by too many powers of ten.
    Significant(usize),
}

/// Powers of ten between the smallest and the largest number that still have a common number of decimals.
const COMMON_POWERS: i32 = 3;

impl ColumnFormat {
    /// A format in which the largest number has `digits` significant digits and the smallest at least two.
    pub(crate) fn of(values: impl Iterator<Item = f64>, digits: usize) -> Self {
        let values = values.filter(|value| value.is_finite() && *value != 0.0);
        let powers = values.map(|value| value.abs().log10().floor() as i32);
        let (low, high) = powers.fold((i32::MAX, i32::MIN), |(low, high), power| {
            (low.min(power), high.max(power))
        });
        if low > high || high - low > COMMON_POWERS || low < TINY_EXPONENT || high >= HUGE_EXPONENT
        {
            return ColumnFormat::Significant(digits);
        }
        let for_largest = i32::try_from(digits).unwrap_or(i32::MAX) - 1 - high;
        ColumnFormat::Decimals(for_largest.max(1 - low).try_into().unwrap_or(0))
    }

    /// The number in ASCII.
    pub(crate) fn ascii(self, value: f64) -> String {
        match self {
            ColumnFormat::Decimals(decimals) if value.is_finite() => fixed(value, decimals),
            ColumnFormat::Decimals(digits) | ColumnFormat::Significant(digits) => {
                significant(value, digits)
            }
        }
    }

    /// The number as it is typeset.
    pub(crate) fn typeset(self, value: f64) -> String {
        match self {
            ColumnFormat::Decimals(decimals) if value.is_finite() => minus(&fixed(value, decimals)),
            ColumnFormat::Decimals(digits) | ColumnFormat::Significant(digits) => {
                typeset(value, digits)
            }
        }
    }
}

fn fixed(value: f64, decimals: usize) -> String {
    // Adding zero turns -0.0 into 0.0.
    format!("{:.decimals$}", value + 0.0)
}

enum Rounded {
    Plain(String),
    Scientific(String, i32),
    Infinite,
}

/// Numbers from this size on need an exponent.
const HUGE_EXPONENT: i32 = 6;
/// Numbers below ten to this power need an exponent.
const TINY_EXPONENT: i32 = -4;

fn rounded(value: f64, digits: usize) -> Rounded {
    if value == 0.0 {
        return Rounded::Plain("0".to_owned());
    }
    if value.is_infinite() {
        return Rounded::Infinite;
    }
    if value.is_nan() {
        return Rounded::Plain("NaN".to_owned());
    }
    // Rounding first and reading the exponent off the result makes 9.9999 the 10.00 that it is.
    let text = format!("{value:.*e}", digits.saturating_sub(1));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(TINY_EXPONENT..HUGE_EXPONENT).contains(&exponent) {
        return Rounded::Scientific(mantissa.to_owned(), exponent);
    }
    let last = i32::try_from(digits).unwrap_or(i32::MAX) - 1 - exponent;
    let decimals = usize::try_from(last).unwrap_or(0);
    Rounded::Plain(format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_reads_back() {
        let values = [
            0.1,
            -0.0,
            1e-300,
            5e-324,
            f64::MAX,
            1.0 / 3.0,
            1e16,
            123456.789,
        ];
        for value in values {
            let text = exact(value);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
            assert!(text.len() < 25, "{text}");
        }
        assert_eq!(exact(f64::INFINITY), "inf");
        assert_eq!(exact(f64::NEG_INFINITY), "-inf");
        assert_eq!(exact(1.0), "1.0");
    }

    #[test]
    fn significant_digits() {
        let cases = [
            (0.0, "0", "0"),
            (-0.0, "0", "0"),
            (0.985, "0.9850", "0.9850"),
            (-1.0, "-1.000", "−1.000"),
            (9.99996, "10.00", "10.00"),
            (0.000123456, "0.0001235", "0.0001235"),
            (0.0000123456, "1.235e-5", "1.235×10⁻⁵"),
            (-6.02214e23, "-6.022e23", "−6.022×10²³"),
            (12345.678, "12346", "12346"),
            (999_999.7, "1.000e6", "1.000×10⁶"),
            (f64::INFINITY, "inf", "∞"),
            (f64::NEG_INFINITY, "-inf", "−∞"),
        ];
        for (value, ascii, page) in cases {
            assert_eq!(significant(value, 4), ascii);
            assert_eq!(typeset(value, 4), page);
        }
    }

    #[test]
    fn columns_share_their_decimals_where_they_can() {
        let cases: [(&[f64], &[&str]); 5] = [
            (
                &[12.345, 0.5, 0.0, f64::INFINITY],
                &["12.35", "0.50", "0.00", "inf"],
            ),
            (&[0.98512, -0.0123], &["0.9851", "-0.0123"]),
            (&[12345.6, 99.0], &["12346", "99"]),
            (&[1.0, 1e-9], &["1.000", "1.000e-9"]),
            (&[0.0, -0.0], &["0", "0"]),
        ];
        for (values, expected) in cases {
            let format = ColumnFormat::of(values.iter().copied(), 4);
            let texts: Vec<String> = values.iter().map(|value| format.ascii(*value)).collect();
            assert_eq!(texts, expected);
        }
        let format = ColumnFormat::of([-1.5, f64::NEG_INFINITY].into_iter(), 2);
        assert_eq!(format.typeset(-1.5), "−1.5");
        assert_eq!(format.typeset(f64::NEG_INFINITY), "−∞");
    }

    #[test]
    fn powers_split() {
        assert_eq!(split_power("2×10⁻¹²"), ("2×10", "−12".to_owned()));
        assert_eq!(split_power("0.5"), ("0.5", String::new()));
    }

    #[test]
    fn thousands() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1234567, "1,234,567"),
        ] {
            assert_eq!(grouped(value), text);
        }
    }
}
