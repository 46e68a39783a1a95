/* Jobs as single allocations; see job.h. Any thread: a job has one owner at a time. */
#include "core/job.h"

#include <stdlib.h>
#include <string.h>

static uint32_t pack(struct job *job, uint32_t *at, const char *text, size_t size)
{
    if (!text)
        return 0;
    uint32_t offset = *at;
    memcpy((char *)job + offset, text, size);
    *at += (uint32_t)size;
    return offset;
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

struct job *job_new(const struct job_text *text)
{
    size_t url = text_size(text->url), authority = text_size(text->authority);
    size_t name = text_size(text->name), id = text_size(text->id);
    size_t upload = text_size(text->upload);
    size_t method = text_size(text->method), none_match = text_size(text->if_none_match);
    size_t since = text_size(text->if_modified_since), list_name = text_size(text->list_name);
    size_t bytes = sizeof(struct job) + url + authority + name + id + text->mirrors_size +
                   text->digests_size + text->headers_size + none_match + since + list_name +
                   method + text->body_size + upload + text->extra_size;
    if (bytes > UINT32_MAX)
        return NULL;
    struct job *job = malloc(bytes);
    if (!job)
        return NULL;
    memset(job, 0, sizeof *job);
    job->bytes = (uint32_t)bytes;
    job->worker = -1;
    job->size = -1;
    uint32_t at = sizeof *job;
    job->url = pack(job, &at, text->url, url);
    job->authority = pack(job, &at, text->authority, authority);
    job->name = pack(job, &at, text->name, name);
    job->id = pack(job, &at, text->id, id);
    job->mirrors = pack(job, &at, text->mirrors, text->mirrors_size);
    job->digests = pack(job, &at, text->digests, text->digests_size);
    job->headers = pack(job, &at, text->headers, text->headers_size);
    job->list_name = pack(job, &at, text->list_name, list_name);
    job->if_none_match = pack(job, &at, text->if_none_match, none_match);
    job->if_modified_since = pack(job, &at, text->if_modified_since, since);
    job->method = pack(job, &at, text->method, method);
    job->body = pack(job, &at, text->body, text->body_size);
    job->body_size = (uint32_t)text->body_size;
    job->upload = pack(job, &at, text->upload, upload);
    job->extra = pack(job, &at, text->extra, text->extra_size);
    return job;
}

void job_free(struct job *job)
{
    free(job);
}

static const char *behind(const char *item)
{
    return item + strlen(item) + 1;
}

static struct span up_to(const char *p, const char *last)
{
    return (struct span){p, (size_t)(last + 1 - p)};
}

struct span job_list(const struct job *job, uint32_t offset)
{
    const char *p = job_text(job, offset), *end = p;
    while (end && *end)
        end = behind(end);
    return p ? up_to(p, end) : (struct span){0};
}

struct span job_pairs(const struct job *job, uint32_t offset)
{
    const char *p = job_text(job, offset), *end = p;
    while (end && *end)
        end = behind(behind(end));
    return p ? up_to(p, end) : (struct span){0};
}
