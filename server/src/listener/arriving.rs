//! The body of a request on its way in, which says so to its connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::activity::{Activity, Waiting};

/// The body of a request.
pub(crate) struct Arriving {
    body: Incoming,
    /// Until all of it is here.
    waiting: Option<Waiting>,
}

impl Arriving {
    pub(super) fn new(body: Incoming, activity: &Arc<Activity>) -> Self {
        let waiting = (!body.is_end_stream()).then(|| Waiting::new(Arc::clone(activity)));
        Self { body, waiting }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
            self.waiting = None;
        } else if let Some(waiting) = &self.waiting {
            waiting.went_on();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
