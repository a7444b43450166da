//! `pli demo`: the whole of Pli in one story. Every person is a process of this program with a store of its own; the
//! relay is another. The people are in `cast`, the processes in `stage`, the search of the disk in `disk`.

mod cast;
mod disk;
mod lost;
mod stage;
mod story;
mod tablet;

use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;
use crate::language::{say, tell};
use crate::screen::Screen;
use crate::stop::Ending;

use cast::{CARDIOLOGIST, GP, NURSE, PHARMACIST, Person};
use stage::{Service, Stage};

/// Plays the story; then, unless `once`, goes on serving until it should end.
pub(crate) async fn demo(once: bool, screen: Screen) -> Result<(), Failure> {
    let ending = Ending::listen(false).map_err(Failure::System)?.wanted();
    tokio::pin!(ending);
    let mut stage = Stage::set(screen)?;
    let relay = tokio::select! {
        relay = story::play(&mut stage) => relay?,
        () = &mut ending => return Err(Failure::Interrupted),
    };
    if once {
        relay.process.stop().await?;
        return stage.add(say(
            "The story is over; everyone has ended and the temporary folder is removed.",
            "L'histoire est finie ; tous les processus sont arrêtés et le dossier temporaire est supprimé.",
        ));
    }
    let mut open_house = OpenHouse::begin(&stage, &relay.url, &relay.ca).await?;
    let ended = tokio::select! {
        ended = open_house.receive(&stage) => ended,
        () = &mut ending => Ok(()),
    };
    open_house.end().await?;
    relay.process.stop().await?;
    ended?;
    stage.add(say(
        "Ended; the temporary folder is removed.",
        "Terminé ; le dossier temporaire est supprimé.",
    ))
}

/// The document that a stranger may send.
const RESULT: &str = "result.hpr";

/// The three people stay in touch, so that somebody can join from another terminal.
struct OpenHouse {
    nurse: Service,
    gp: Service,
    cardiologist: Service,
}

impl OpenHouse {
    async fn begin(stage: &Stage, url: &str, ca: &Path) -> Result<Self, Failure> {
        let practice = stage.make_folder("practice")?;
        let practice = practice.to_string_lossy().into_owned();
        let relay = stage.path("relay").to_string_lossy().into_owned();
        let code = stage
            .run(&["admin", "code", PHARMACIST.address, "--data", &relay], "")
            .await?;
        let code_file = stage.put("code.txt", story::text(&code, "/code")?.as_bytes())?;
        let result = stage.put(RESULT, &cast::result())?;
        let house = Self {
            nurse: watch(stage, NURSE, &[]).await?,
            gp: watch(stage, GP, &["--export", &practice]).await?,
            cardiologist: watch(stage, CARDIOLOGIST, &[]).await?,
        };
        let pli = quoted(&stage.program());
        let (phone, ca, code_file, result) = (
            quoted(&stage.path("phone")),
            quoted(ca),
            quoted(&code_file),
            quoted(&result),
        );
        let practice = quoted(Path::new(&practice));
        let (name, address, gp) = (PHARMACIST.name(), PHARMACIST.address, GP.address);
        let commands = format!(
            "\n    export PLI_HOME={phone}\
             \n    {pli} enrol {address} --server {url} --ca {ca} --code-file {code_file}\
             \n    {pli} directory find delorme\
             \n    {pli} mail send --to {gp} --hprim {result}\n"
        );
        let then = format!(
            "\n    {pli} sync\
             \n    {pli} mail list\
             \n    cmp {result} {practice}/*.hpr\n"
        );
        stage.add(&tell!(
            "\nThe relay goes on serving. Join from another terminal, in this folder, as {name}, pharmacist:\n{commands}\n\
             The GP answers by himself. As soon as this terminal says that his practice folder got the result, it is there\n\
             byte for byte, and `cmp` has nothing to say:\n{then}\n\
             Ctrl-C ends the demonstration and removes its folder.",
            "\nLe relais continue de servir. Rejoignez-le d'un autre terminal, dans ce dossier, comme {name}, pharmacienne :\n{commands}\n\
             Le généraliste répond de lui-même. Dès que ce terminal dit que le dossier de son cabinet a reçu le résultat,\n\
             il y est octet pour octet, et `cmp` n'a rien à dire :\n{then}\n\
             Ctrl-C termine la démonstration et supprime son dossier."
        ))?;
        Ok(house)
    }

    /// Tells who receives what, until somebody's process ends.
    async fn receive(&mut self, stage: &Stage) -> Result<(), Failure> {
        let mut to_compare = None;
        loop {
            let (person, said) = tokio::select! {
                said = self.nurse.next() => (NURSE, said?),
                said = self.gp.next() => (GP, said?),
                said = self.cardiologist.next() => (CARDIOLOGIST, said?),
            };
            let Some(said) = said else {
                return Err(Failure::DemoUnlike {
                    what: say("a phone stayed in touch", "un téléphone reste en liaison").to_owned(),
                });
            };
            let name = person.name();
            match said.pointer("/event").and_then(Value::as_str) {
                Some("arrived") => {
                    let subject = story::text(&said, "/mail/subject")?;
                    let sender = story::text(&said, "/mail/sender")?;
                    stage.add(&tell!(
                        "{name} received: {subject} ({sender})",
                        "{name} a reçu : {subject} ({sender})"
                    ))?;
                    if person.key == GP.key && sender == PHARMACIST.address {
                        let number = story::number(&said, "/mail/number")?.to_string();
                        let welcome = cast::letters().welcome;
                        stage.on_phone(GP, &["mail", "handled", &number], "").await?;
                        stage
                            .on_phone(GP, &["mail", "answer", &number, "--letter", "-", "--yes"], welcome)
                            .await?;
                        stage.add(&tell!("{name} answered.", "{name} a répondu."))?;
                        to_compare = Some(number);
                    }
                }
                Some("dropped") => {
                    let file = story::text(&said, "/file")?;
                    stage.add(&tell!(
                        "{name}'s practice folder got {file}",
                        "Le dossier du cabinet de {name} a reçu {file}"
                    ))?;
                    if let Some(number) = to_compare.take() {
                        let (pli, home) = (quoted(&stage.program()), quoted(&stage.home(GP)));
                        let result = quoted(&stage.path(RESULT));
                        let export = format!("{pli} hprim export {number} --home {home} --output - | cmp {result}");
                        stage.add(&tell!(
                            "The same from his phone:\n\n    {export}\n",
                            "Le même, de son téléphone :\n\n    {export}\n"
                        ))?;
                    }
                }
                _ => {}
            }
        }
    }

    async fn end(self) -> Result<(), Failure> {
        self.nurse.stop().await?;
        self.gp.stop().await?;
        self.cardiologist.stop().await
    }
}

async fn watch(stage: &Stage, person: Person, more: &[&str]) -> Result<Service, Failure> {
    let home = stage.home(person).to_string_lossy().into_owned();
    let words = [&["watch", "--home", &home], more].concat();
    Ok(stage.start(person.key, &words).await?.0)
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c)) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
