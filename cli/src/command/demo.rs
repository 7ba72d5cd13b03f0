//! `regent demo`: the whole product at work on this machine.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::demo::DemoArgs;
use crate::demo::scene::SCENES;
use crate::demo::show;
use crate::demo::stage::{REGISTRY, Stage};
use crate::demo::suggest;
use crate::exit_status::ExitStatus;
use crate::io::Io;

/// Runs `regent demo`.
pub fn run(args: &DemoArgs, io: &mut Io<'_>) -> Result<ExitStatus> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    runtime.block_on(async {
        if args.serve {
            serve(io).await
        } else {
            tell(io).await
        }
    })
}

/// Plays all scenes and shows what came of them.
async fn tell(io: &mut Io<'_>) -> Result<ExitStatus> {
    let mut stage = Stage::start().await?;
    introduce(&stage, io)?;
    let mut shots = Vec::new();
    for scene in SCENES {
        shots.push(stage.play(scene).await?);
    }
    stage.stop().await;
    writeln!(io.stdout, "{}", show::shots(&shots, io))?;
    let wrong = shots.iter().filter(|shot| !shot.wrong.is_empty()).count();
    if wrong > 0 {
        writeln!(
            io.stdout,
            "{wrong} of {} answers were not the expected ones.",
            shots.len()
        )?;
        return Ok(ExitStatus::Failed);
    }
    writeln!(
        io.stdout,
        "All {} answers were the expected ones. `regent demo --serve` keeps everything running, to try more.",
        shots.len()
    )?;
    Ok(ExitStatus::Pass)
}

fn introduce(stage: &Stage, io: &mut Io<'_>) -> Result<()> {
    writeln!(
        io.stdout,
        "An OCI registry on http://{} stands for {REGISTRY}; its images were signed and attested beforehand.\n\
         The webhook on https://{} enforces policies/provenance/verify-slsa-provenance:\n\
         in production and staging, images of {REGISTRY}/your-org must be signed by a workflow of your-org\n\
         and built by the SLSA generator at v2.0.0. Each request is sent twice, to /mutate and then /validate,\n\
         as an API server does: the first has to fetch and verify, the second finds it in the cache.\n",
        stage.registry(),
        stage.webhook(),
    )?;
    io.stdout.flush()?;
    Ok(())
}

/// Keeps everything running until it is interrupted.
async fn serve(io: &mut Io<'_>) -> Result<ExitStatus> {
    let stage = Stage::start().await?;
    introduce(&stage, io)?;
    writeln!(io.stdout, "{}", suggest::commands(&stage)?)?;
    io.stdout.flush()?;
    let mut terminate = signal(SignalKind::terminate()).context("listening to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening to signals")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stage.stop().await;
    Ok(ExitStatus::Pass)
}
