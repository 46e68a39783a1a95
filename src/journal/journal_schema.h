/* The tables of a journal, and what its format version stands for.
 *
 * `record` only grows at its end, in the order in which records end: a row that is put costs the
 * writing of its own bytes, whatever order the list has. `lookup` leads from a record's key (a hash
 * of URL and name) to its row. Its pages lie in no order of the list, so keys are not brought there
 * one by one, but many thousand at a time, sorted; `indexed` in `about` says up to which row that
 * has been done. Of two rows of one key the later counts; the earlier is deleted when the later is
 * brought to `lookup`.
 */
#ifndef WEIR_JOURNAL_JOURNAL_SCHEMA_H
#define WEIR_JOURNAL_JOURNAL_SCHEMA_H

#define JOURNAL_FORMAT 1
#define JOURNAL_APPLICATION_ID 0x77656972 /* "weir" */
#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)

#define JOURNAL_SCHEMA                                                                             \
    "PRAGMA application_id = " TEXT_OF(                                                            \
        JOURNAL_APPLICATION_ID) ";"                                                                \
                                "PRAGMA user_version = " TEXT_OF(                                  \
                                    JOURNAL_FORMAT) ";"                                            \
                                                    "CREATE TABLE about(key TEXT PRIMARY KEY, "    \
                                                    "value) WITHOUT ROWID;"                        \
                                                    "CREATE TABLE lookup(key INTEGER PRIMARY "     \
                                                    "KEY, seq INTEGER NOT NULL);"                  \
                                                    "CREATE TABLE record(seq INTEGER PRIMARY "     \
                                                    "KEY, key INTEGER NOT NULL, url TEXT NOT "     \
                                                    "NULL,"                                        \
                                                    " name TEXT NOT NULL, state TEXT NOT NULL, "   \
                                                    "path TEXT, digest TEXT, origin_url TEXT,"     \
                                                    " etag TEXT, last_modified TEXT, date TEXT, "  \
                                                    "size INTEGER, bytes INTEGER NOT NULL,"        \
                                                    " attempts INTEGER NOT NULL, failed_as TEXT, " \
                                                    "http_status INTEGER NOT NULL,"                \
                                                    " ended_ms INTEGER NOT NULL, duration_ms "     \
                                                    "INTEGER NOT NULL, line INTEGER NOT NULL, id " \
                                                    "TEXT,"                                        \
                                                    " wanted_size INTEGER, mirrors BLOB, digests " \
                                                    "BLOB, extra BLOB);"

/* In the order of journal_row.c. */
#define JOURNAL_COLUMNS                                                                            \
    "url, name, state, path, digest, origin_url, etag, last_modified, date, size, bytes,"          \
    " attempts, failed_as, http_status, ended_ms, duration_ms, line, id, wanted_size, mirrors,"    \
    " digests, extra"
#define JOURNAL_COLUMN_COUNT 22

#endif
