//! The site in a request's path, if it belongs to the tenant that asks. A foreign site is not found, exactly like
//! one that is not there.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use gatepass_core::site::Site;
use gatepass_http::{Code, Problem};

use super::Authenticated;
use crate::BrokerState;

/// A site of the tenant that asks, and who asks.
#[derive(Debug)]
pub struct OwnSite {
    /// The site.
    pub site: Arc<Site>,
    /// Who asks.
    pub by: Authenticated,
}

impl FromRequest for OwnSite {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let by = Authenticated::from_request(request, payload);
        let id = request.match_info().get("site").and_then(|text| text.parse().ok());
        let state = request.app_data::<web::Data<BrokerState>>().cloned();
        Box::pin(async move {
            let by = by.await?;
            let state = state.ok_or_else(|| Problem::new(Code::Internal))?;
            let not_found = || Problem::new(Code::SiteNotFound);
            let id = id.ok_or_else(not_found)?;
            let found = state.sites.get(id).await?;
            let site = found.filter(|site| site.tenant == by.client.tenant).ok_or_else(not_found)?;
            Ok(Self { site, by })
        })
    }
}
