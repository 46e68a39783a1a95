/* See http_date.h. A library's date parser takes any form that people write, and eleven thousand
 * instructions for it; nearly every server sends this one.
 */
#include "core/http_date.h"

#include <string.h>

static int digits(const char *p, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        value = value * 10 + (p[i] - '0');
    }
    return value;
}

static int month_of(const char *p)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (memcmp(p, names + 3 * i, 3) == 0)
            return i + 1;
    return -1;
}

/* Days since 1970-01-01 of a Gregorian date: years are counted from March, so that the leap day is
 * the last of its year. */
static int64_t days_since_epoch(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool imf_fixdate(const char *text, int64_t *out)
{
    static const char shape[] = "___, __ ___ ____ __:__:__ GMT";
    if (strlen(text) != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < sizeof shape - 1; i++)
        if (shape[i] != '_' && shape[i] != text[i])
            return false;
    int day = digits(text + 5, 2), month = month_of(text + 8), year = digits(text + 12, 4);
    int hour = digits(text + 17, 2), minute = digits(text + 20, 2), second = digits(text + 23, 2);
    if (day < 1 || day > 31 || month < 1 || year < 1 || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60)
        return false;
    int64_t days = days_since_epoch(year, month, day);
    if (days >= days_since_epoch(year + month / 12, month % 12 + 1, 1))
        return false; /* the month is shorter */
    *out = days * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}
