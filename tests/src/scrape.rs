//! What `GET /metrics` says.

use std::collections::{BTreeMap, BTreeSet};

use crate::Result;

/// One scrape: each series with its value.
#[derive(Debug)]
pub struct Scrape {
    /// The text as it came.
    pub text: String,
    values: BTreeMap<String, f64>,
}

impl Scrape {
    /// Asks a server that listens for Prometheus at this address.
    pub async fn of(address: &str) -> Result<Self> {
        let answer = reqwest::get(format!("http://{address}/metrics")).await?.error_for_status()?;
        let text = answer.text().await?;
        let mut values = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').ok_or("no value")?;
            if values.insert(series.to_owned(), value.parse()?).is_some() {
                return Err(format!("{series} stands twice").into());
            }
        }
        Ok(Self { text, values })
    }

    /// The value of a series, written as Prometheus writes it; 0 if there is none (yet).
    pub fn value(&self, series: &str) -> f64 {
        self.values.get(series).copied().unwrap_or(0.0)
    }

    /// All series: names with their labels.
    pub fn series(&self) -> BTreeSet<&str> {
        self.values.keys().map(String::as_str).collect()
    }

    /// The names of all metrics, those of a histogram's parts included.
    pub fn names(&self) -> BTreeSet<&str> {
        self.series().into_iter().map(name).collect()
    }

    /// The labels that some series of a metric has.
    pub fn labels(&self, metric: &str) -> BTreeSet<&str> {
        let of_metric = self.values.keys().filter(|series| name(series) == metric);
        let labels = of_metric.filter_map(|series| series.split_once('{')?.1.strip_suffix('}'));
        labels
            .flat_map(|labels| labels.split("\","))
            .filter_map(|pair| Some(pair.split_once('=')?.0))
            .collect()
    }
}

fn name(series: &str) -> &str {
    series.split_once('{').map_or(series, |(name, _)| name)
}
