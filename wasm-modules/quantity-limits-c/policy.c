/* Refuses containers that ask for more than the settings allow.
 *
 * A WASI command of 200 lines without any library but the C one. It reads JSON as far as it has to, and says that the request
 * cannot be read where that is not enough: what it does not understand is never accepted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is left to read. */
struct text {
    const char *at;
    const char *end;
};

static char input[4 << 20];
static char found[2000];

static void answer(int accepted, const char *message) {
    if (accepted)
        printf("{\"accepted\":true}");
    else
        printf("{\"accepted\":false,\"message\":\"%s\"}", message);
    exit(0);
}

static void space(struct text *t) {
    while (t->at < t->end && strchr(" \t\r\n", *t->at) != NULL)
        t->at++;
}

/* Steps over a text in quotes; what stands between them is from `at` to one before the new place. */
static int skip_string(struct text *t) {
    if (t->at >= t->end || *t->at != '"')
        return 0;
    for (t->at++; t->at < t->end; t->at++) {
        if (*t->at == '\\')
            t->at++;
        else if (*t->at == '"') {
            t->at++;
            return 1;
        }
    }
    return 0;
}

/* Steps over any value. */
static int skip(struct text *t) {
    int depth = 0;
    space(t);
    do {
        space(t);
        if (t->at >= t->end)
            return 0;
        switch (*t->at) {
        case '{':
        case '[':
            depth++;
            t->at++;
            break;
        case '}':
        case ']':
            depth--;
            t->at++;
            break;
        case ',':
        case ':':
            if (depth == 0)
                return 0;
            t->at++;
            break;
        case '"':
            if (!skip_string(t))
                return 0;
            break;
        default: {
            const char *start = t->at;
            while (t->at < t->end && strchr(",:]} \t\r\n\"{[", *t->at) == NULL)
                t->at++;
            if (t->at == start)
                return 0;
        }
        }
    } while (depth > 0);
    return depth == 0;
}

/* The value of a field of the object at `t`; 1 where it is there, 0 where it is not, -1 where that cannot be read. */
static int field(struct text t, const char *name, struct text *value) {
    size_t length = strlen(name);
    space(&t);
    if (t.at >= t.end || *t.at != '{')
        return 0;
    for (t.at++;;) {
        space(&t);
        if (t.at < t.end && *t.at == '}')
            return 0;
        const char *key = t.at + 1;
        if (!skip_string(&t))
            return -1;
        size_t own = (size_t)(t.at - 1 - key);
        space(&t);
        if (t.at >= t.end || *t.at != ':')
            return -1;
        t.at++;
        space(&t);
        struct text start = t;
        if (!skip(&t))
            return -1;
        if (own == length && memcmp(key, name, length) == 0) {
            value->at = start.at;
            value->end = t.at;
            return 1;
        }
        space(&t);
        if (t.at < t.end && *t.at == ',')
            t.at++;
        else if (t.at >= t.end || *t.at != '}')
            return -1;
    }
}

/* Goes to the next element of the list that `t` stands in; 1 where there is one, 0 at the end, -1 where it cannot be read. */
static int element(struct text *t, struct text *value) {
    space(t);
    if (t->at >= t->end)
        return -1;
    if (*t->at == '[' || *t->at == ',')
        t->at++;
    space(t);
    if (t->at < t->end && *t->at == ']')
        return 0;
    value->at = t->at;
    if (!skip(t))
        return -1;
    value->end = t->at;
    return 1;
}

/* A quantity in thousandths, rounded up; -1 where it is none. */
static __int128 thousandths(struct text t) {
    static const struct {
        const char *name;
        long long by, over;
    } suffixes[] = {{"", 1000, 1},          {"n", 1, 1000000},         {"u", 1, 1000},          {"m", 1, 1},
                    {"k", 1000000, 1},      {"M", 1000000000, 1},      {"G", 1000000000000, 1}, {"Ki", 1000LL << 10, 1},
                    {"Mi", 1000LL << 20, 1}, {"Gi", 1000LL << 30, 1}};
    if (t.end - t.at >= 2 && *t.at == '"') {
        t.at++;
        t.end--;
    }
    __int128 number = 0, over = 1;
    int digits = 0, point = 0;
    for (; t.at < t.end && ((*t.at >= '0' && *t.at <= '9') || (*t.at == '.' && !point)); t.at++) {
        if (*t.at == '.') {
            point = 1;
            continue;
        }
        if (++digits > 18)
            return -1;
        number = number * 10 + (*t.at - '0');
        if (point)
            over *= 10;
    }
    if (digits == 0)
        return -1;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t length = strlen(suffixes[i].name);
        if ((size_t)(t.end - t.at) == length && memcmp(t.at, suffixes[i].name, length) == 0) {
            number *= suffixes[i].by;
            over *= suffixes[i].over;
            return number / over + (number % over != 0);
        }
    }
    return -1;
}

static const char *const resources[] = {"cpu", "memory"};
static __int128 limits[2] = {-1, -1};

/* Reads the settings; what is wrong with them, or nothing. */
static const char *read_settings(struct text settings) {
    int any = 0;
    for (int i = 0; i < 2; i++) {
        struct text written;
        int there = field(settings, resources[i], &written);
        if (there < 0)
            return "the settings cannot be read";
        if (there && (limits[i] = thousandths(written)) < 0)
            return "a limit is not a quantity";
        any |= there;
    }
    return any ? NULL : "neither cpu nor memory is limited";
}

static void violated(const char *what, const char *resource) {
    if (strlen(found) + strlen(what) + strlen(resource) + 4 < sizeof found) {
        if (found[0] != 0)
            strcat(found, "; ");
        strcat(found, what);
        strcat(found, resource);
    }
}

static void check(struct text container) {
    for (int i = 0; i < 2; i++) {
        struct text part = container;
        if (limits[i] < 0)
            continue;
        int there = field(part, "resources", &part);
        there = there == 1 ? field(part, "limits", &part) : there;
        there = there == 1 ? field(part, resources[i], &part) : there;
        if (there < 0)
            answer(0, "the request cannot be read");
        __int128 asked = there ? thousandths(part) : -1;
        if (!there)
            violated("a container has no limit of ", resources[i]);
        else if (asked < 0)
            violated("a container has a limit that is not a quantity, of ", resources[i]);
        else if (asked > limits[i])
            violated("a container has more than it may of ", resources[i]);
    }
}

int main(int count, char **arguments) {
    size_t length = fread(input, 1, sizeof input, stdin);
    struct text all = {input, input + length}, settings, list;
    if (count < 2 || length == sizeof input)
        return 1;
    if (strcmp(arguments[1], "validate-settings") == 0) {
        const char *wrong = read_settings(all);
        if (wrong == NULL)
            printf("{\"valid\":true}");
        else
            printf("{\"valid\":false,\"message\":\"%s\"}", wrong);
        return 0;
    }
    if (strcmp(arguments[1], "validate") != 0)
        return 2;
    struct text request, object, spec;
    if (field(all, "settings", &settings) != 1 || read_settings(settings) != NULL)
        answer(0, "the settings cannot be used");
    if (field(all, "request", &request) != 1 || field(request, "object", &object) != 1)
        answer(0, "the request cannot be read");
    int there = field(object, "spec", &spec);
    if (there < 0)
        answer(0, "the request cannot be read");
    static const char *const lists[] = {"containers", "initContainers"};
    for (int i = 0; there && i < 2; i++) {
        int has = field(spec, lists[i], &list);
        struct text container;
        while (has == 1 && (has = element(&list, &container)) == 1)
            check(container);
        if (has < 0)
            answer(0, "the request cannot be read");
    }
    answer(found[0] == 0, found);
}
