-- Classes, teams, seats, runs, and what people handed in. Times of a run are virtual nanoseconds; secrets are hashes.
CREATE TABLE IF NOT EXISTS class (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    scenario TEXT NOT NULL,
    seed INTEGER NOT NULL,
    blind INTEGER NOT NULL,
    settings TEXT NOT NULL,
    shows TEXT NOT NULL,
    scores_hidden INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS team (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS seat (
    id INTEGER PRIMARY KEY,
    team INTEGER REFERENCES team (id),
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    link_hash TEXT UNIQUE,
    session_hash TEXT UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY,
    class INTEGER NOT NULL REFERENCES class (id),
    team INTEGER NOT NULL REFERENCES team (id),
    directory TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS call (
    run INTEGER NOT NULL REFERENCES run (id),
    number INTEGER NOT NULL,
    seat INTEGER NOT NULL REFERENCES seat (id),
    body TEXT NOT NULL,
    points_override REAL,
    override_reason TEXT,
    PRIMARY KEY (run, number)
) STRICT;
CREATE TABLE IF NOT EXISTS answer (
    run INTEGER NOT NULL REFERENCES run (id),
    seat INTEGER NOT NULL REFERENCES seat (id),
    question TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run, seat, question)
) STRICT;
CREATE TABLE IF NOT EXISTS action (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id),
    seat INTEGER NOT NULL REFERENCES seat (id),
    t INTEGER NOT NULL,
    command TEXT NOT NULL,
    outcome TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id),
    t INTEGER NOT NULL,
    kind TEXT NOT NULL,
    role TEXT,
    text TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS inject (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id),
    t INTEGER NOT NULL,
    kind TEXT NOT NULL,
    role TEXT,
    text TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waits'
) STRICT;
CREATE TABLE IF NOT EXISTS tabletop (
    id INTEGER PRIMARY KEY,
    scenario TEXT NOT NULL,
    seed INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tabletop_event (
    id INTEGER PRIMARY KEY,
    tabletop INTEGER NOT NULL REFERENCES tabletop (id),
    team INTEGER REFERENCES team (id),
    seat INTEGER NOT NULL REFERENCES seat (id),
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    value TEXT NOT NULL
) STRICT;
