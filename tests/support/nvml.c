/* A stand-in for NVIDIA's libnvidia-ml.so.1: what the real nvidia-ml-py asks of it, answered from an inventory
 * file (NVML_INVENTORY) that is read anew on each call, so that a test can pull a device or hang the driver
 * while a program runs. Own declarations; the names, numbers and structures are NVML's interface.
 *
 *   gpu  <uuid> <MiB> <MiB used> <name>        a device
 *   lost <uuid> <MiB> <MiB used> <name>        a device that has fallen off the bus
 *   mig  <uuid of the device> <uuid> <MiB> <profile>
 *   migmode <uuid> 1                           cut up, also where there is no part
 *   shape <uuid of a part> <slices> <multiprocessors>
 *   fabric <uuid> <cluster as 32 digits> <clique>
 *   capability <uuid> <major> <minor>          of its code; 8.0 where nothing is said
 *   bus <uuid> <domain in hexadecimal> <bus>    its place; 0 and the index + 1 where nothing is said
 *   nvlink <uuid> <uuid>                       a link between two devices
 *   process <uuid> <pid> <MiB>                 one that computes; -1 MiB: the driver does not tell
 *   ecc <uuid> <corrected> <uncorrected>       errors of a device that counts them
 *   throttled <uuid> <bits>                    NVML's clock event reasons
 *   remapped <uuid> <pending> <failed>         rows of its memory
 *   recovery <uuid> <action>                   what the driver wants done
 *   xid <uuid> <number> <instance>             an event, told once; -1 for the instance: of the whole device
 *   hang                                       no call returns
 *   broken                                     the library is no longer open, until it is opened without this line
 *
 * Built with -DOLD_DRIVER it lacks what drivers of some years ago lack.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9, TIMEOUT = 10, GPU_IS_LOST = 15
};
enum { MOST_DEVICES = 64, MOST_NOTES = 256, FIRST_PART = 1000, XID_EVENT = 8, RECOVERY_ACTION = 230 };
#define MIB 1048576ULL

struct device {
    int lost;
    char uuid[96], parent[96], name[96];
    unsigned long long total, used;
};
/* Any line about a device: its first word, and what follows the UUID. */
struct note { char kind[16], uuid[96], first[96]; long second; };
struct memory { unsigned long long total, free, used; };
struct utilization { unsigned int gpu, memory; };

static struct device devices[MOST_DEVICES], parts[MOST_DEVICES];
static struct note notes[MOST_NOTES];
static int device_count, part_count, note_count, events_told, is_open;

static void read_line(const char *line)
{
    struct device d = {0};
    struct note n = {0};
    char kind[16] = "";
    sscanf(line, "%15s", kind);
    while (strcmp(kind, "hang") == 0)
        pause();
    is_open = is_open && strcmp(kind, "broken");
    if (!strcmp(kind, "gpu") || !strcmp(kind, "lost")) {
        sscanf(line, "%*s %95s %llu %llu %95[^\n]", d.uuid, &d.total, &d.used, d.name);
        d.lost = strcmp(kind, "lost") == 0;
        devices[device_count++] = d;
    } else if (sscanf(line, "mig %95s %95s %llu %95s", d.parent, d.uuid, &d.total, d.name) == 4) {
        parts[part_count++] = d;
    } else if (sscanf(line, "%15s %95s %95s %ld", n.kind, n.uuid, n.first, &n.second) >= 3) {
        notes[note_count++] = n;
    }
}

static int read_inventory(void)
{
    const char *path = getenv("NVML_INVENTORY");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[512];
    if (!file)
        return DRIVER_NOT_LOADED;
    device_count = part_count = note_count = 0;
    while (fgets(line, sizeof line, file) && device_count < MOST_DEVICES && part_count < MOST_DEVICES &&
           note_count < MOST_NOTES)
        read_line(line);
    fclose(file);
    return SUCCESS;
}

/* A handle is the device's place in the inventory, plus one; FIRST_PART and up are MIG devices. */
static struct device *find(void *handle)
{
    long place = (long)handle;
    if (read_inventory() != SUCCESS)
        return NULL;
    if (place >= FIRST_PART)
        return place - FIRST_PART < part_count ? &parts[place - FIRST_PART] : NULL;
    return place >= 1 && place <= device_count ? &devices[place - 1] : NULL;
}

static int checked(void *handle, struct device **device)
{
    *device = find(handle);
    if (!*device)
        return INVALID_ARGUMENT;
    return (*device)->lost ? GPU_IS_LOST : SUCCESS;
}

/* The next note of a kind about a device, after `after`; the first where that is NULL. */
static struct note *noted(const char *kind, const char *uuid, struct note *after)
{
    struct note *note = after ? after + 1 : notes;
    for (; note < notes + note_count; note++)
        if (!strcmp(note->kind, kind) && (!uuid || !strcmp(note->uuid, uuid)))
            return note;
    return NULL;
}

static int text(const char *from, char *to, unsigned int length)
{
    snprintf(to, length, "%s", from);
    return SUCCESS;
}

int nvmlInitWithFlags(unsigned int flags)
{
    (void)flags;
    is_open = 1;
    return read_inventory();
}
int nvmlShutdown(void) { return SUCCESS; }

const char *nvmlErrorString(int code)
{
    switch (code) {
    case SUCCESS: return "Success";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case GPU_IS_LOST: return "GPU is lost";
    case NOT_SUPPORTED: return "Not Supported";
    default: return "Error";
    }
}

int nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
    int code = read_inventory();
    return code ? code : text("580.126.20", version, length);
}

int nvmlDeviceGetCount_v2(unsigned int *count)
{
    int code = read_inventory();
    *count = (unsigned int)device_count;
    return code || is_open ? code : UNINITIALIZED;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle)
{
    *handle = (void *)(long)(index + 1);
    return find(*handle) ? SUCCESS : INVALID_ARGUMENT;
}

int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned int length)
{
    struct device *device = find(handle);
    return device ? text(device->uuid, uuid, length) : INVALID_ARGUMENT;
}

int nvmlDeviceGetName(void *handle, char *name, unsigned int length)
{
    struct device *device, *parent = devices;
    int code = checked(handle, &device);
    char full[224];
    if (code || !*device->parent)
        return code ? code : text(device->name, name, length);
    while (parent < devices + device_count - 1 && strcmp(parent->uuid, device->parent))
        parent++;
    snprintf(full, sizeof full, "%s MIG %s", parent->name, device->name);
    return text(full, name, length);
}

int nvmlDeviceGetMemoryInfo(void *handle, struct memory *memory)
{
    struct device *device;
    int code = checked(handle, &device);
    if (code)
        return code;
    memory->total = device->total * MIB;
    memory->used = device->used * MIB;
    memory->free = memory->total - memory->used;
    return SUCCESS;
}

int nvmlDeviceGetMigMode(void *handle, unsigned int *current, unsigned int *pending)
{
    struct device *device;
    int code = checked(handle, &device), i;
    *current = *pending = 0;
    if (!code && !strstr(device->name, "A100") && !strstr(device->name, "H100"))
        return NOT_SUPPORTED;
    if (!code && noted("migmode", device->uuid, NULL))
        *current = *pending = 1;
    for (i = 0; !code && i < part_count; i++)
        if (!strcmp(parts[i].parent, device->uuid))
            *current = *pending = 1;
    return code;
}

int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned int *count)
{
    struct device *device;
    *count = 7;
    return checked(handle, &device);
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned int slot, void **part)
{
    struct device *device;
    int code = checked(handle, &device), i;
    unsigned int met = 0;
    for (i = 0; !code && i < part_count; i++)
        if (!strcmp(parts[i].parent, device->uuid) && met++ == slot) {
            *part = (void *)(long)(FIRST_PART + i);
            return SUCCESS;
        }
    return code ? code : NOT_FOUND;
}

int nvmlDeviceGetUtilizationRates(void *handle, struct utilization *rates)
{
    struct device *device;
    int code = checked(handle, &device);
    if (!code && *device->parent)
        return NOT_SUPPORTED;
    rates->gpu = rates->memory = 25;
    return code;
}

int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned int *celsius)
{
    struct device *device;
    (void)sensor;
    *celsius = 41;
    return checked(handle, &device);
}

int nvmlDeviceGetPowerUsage(void *handle, unsigned int *milliwatts)
{
    struct device *device;
    *milliwatts = 70500;
    return checked(handle, &device);
}

struct pci { char legacy[16]; unsigned int domain, bus, device, id, subsystem; char address[32]; };
struct process { unsigned int pid; unsigned long long used; unsigned int instance, compute; };
struct event { void *device; unsigned long long kind, data; unsigned int instance, compute; };
struct field { unsigned int id, scope; long long at, took; unsigned int type; int code; unsigned int value, rest; };

int nvmlSystemGetCudaDriverVersion(int *version)
{
    *version = 13020;
    return read_inventory();
}

int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor)
{
    struct device *device;
    struct note *note;
    int code = checked(handle, &device);
    if (code)
        return code;
    note = noted("capability", device->uuid, NULL);
    *major = note ? atoi(note->first) : 8;
    *minor = note ? (int)note->second : 0;
    return SUCCESS;
}

int nvmlDeviceGetPciInfo_v3(void *handle, struct pci *pci)
{
    struct device *device;
    struct note *note;
    int code = checked(handle, &device);
    memset(pci, 0, sizeof *pci);
    if (code)
        return code;
    note = noted("bus", device->uuid, NULL);
    pci->domain = note ? (unsigned int)strtol(note->first, NULL, 16) : 0;
    pci->bus = note ? (unsigned int)note->second : (unsigned int)(long)handle;
    snprintf(pci->address, sizeof pci->address, "%08X:%02X:00.0", pci->domain, pci->bus);
    return SUCCESS;
}

int nvmlDeviceGetP2PStatus(void *one, void *other, int what, int *status)
{
    struct device *from, *to;
    struct note *note = NULL;
    int code = checked(one, &from);
    (void)what;
    if (code || (code = checked(other, &to)))
        return code;
    *status = NOT_SUPPORTED + 2; /* NVML_P2P_STATUS_NOT_SUPPORTED */
    while ((note = noted("nvlink", NULL, note)))
        if ((!strcmp(note->uuid, from->uuid) && !strcmp(note->first, to->uuid)) ||
            (!strcmp(note->uuid, to->uuid) && !strcmp(note->first, from->uuid)))
            *status = 0;
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned int *count, struct process *processes)
{
    struct device *device;
    struct note *note = NULL;
    unsigned int room = *count;
    int code = checked(handle, &device);
    if (code)
        return code;
    *count = 0;
    while ((note = noted("process", device->uuid, note))) {
        if (*count < room) {
            memset(&processes[*count], 0, sizeof *processes);
            processes[*count].pid = (unsigned int)atoi(note->first);
            processes[*count].used = note->second < 0 ? ~0ULL : (unsigned long long)note->second * MIB;
        }
        ++*count;
    }
    return *count > room ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlDeviceGetTotalEccErrors(void *handle, int kind, int since, unsigned long long *count)
{
    struct device *device;
    struct note *note;
    int code = checked(handle, &device);
    (void)since;
    if (code)
        return code;
    note = noted("ecc", device->uuid, NULL);
    *count = !note ? 0 : kind ? (unsigned long long)note->second : strtoull(note->first, NULL, 10);
    return note ? SUCCESS : NOT_SUPPORTED;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *handle, unsigned long long *bits)
{
    struct device *device;
    struct note *note;
    int code = checked(handle, &device);
    if (code)
        return code;
    note = noted("throttled", device->uuid, NULL);
    *bits = note ? strtoull(note->first, NULL, 10) : 0;
    return SUCCESS;
}

int nvmlDeviceGetGpuInstanceId(void *handle, unsigned int *instance)
{
    struct device *device;
    int code = checked(handle, &device);
    if (!code && !*device->parent)
        return INVALID_ARGUMENT;
    *instance = (unsigned int)((long)handle - FIRST_PART);
    return code;
}

int nvmlEventSetCreate(void **set)
{
    struct note *note = NULL;
    int code = read_inventory();
    *set = &events_told;
    for (events_told = 0; (note = noted("xid", NULL, note)); events_told++)
        ; /* what happened before is not told */
    return code;
}

int nvmlDeviceRegisterEvents(void *handle, unsigned long long kinds, void *set)
{
    struct device *device;
    (void)set;
    return kinds == XID_EVENT ? checked(handle, &device) : NOT_SUPPORTED;
}

int nvmlEventSetWait_v2(void *set, struct event *event, unsigned int milliseconds)
{
    struct note *note = NULL;
    int place = 0, code = read_inventory(), i;
    (void)set, (void)milliseconds;
    while (!code && (note = noted("xid", NULL, note)))
        if (place++ == events_told) {
            events_told++;
            for (i = 0; i < device_count; i++)
                if (!strcmp(devices[i].uuid, note->uuid))
                    event->device = (void *)(long)(i + 1);
            event->kind = XID_EVENT;
            event->data = strtoull(note->first, NULL, 10);
            event->instance = (unsigned int)note->second;
            event->compute = 0;
            return SUCCESS;
        }
    return code ? code : TIMEOUT;
}

#ifndef OLD_DRIVER
struct attributes { unsigned int multiprocessors, copy, decoder, encoder, jpeg, ofa, gpu, compute; unsigned long long mib; };
struct fabric { unsigned int version; unsigned char cluster[16]; int status; unsigned int clique; unsigned char state; };

int nvmlDeviceGetAttributes_v2(void *handle, struct attributes *attributes)
{
    struct device *device;
    struct note *note;
    int code = checked(handle, &device);
    memset(attributes, 0, sizeof *attributes);
    if (code || !(note = noted("shape", device->uuid, NULL)))
        return code ? code : NOT_SUPPORTED;
    attributes->gpu = attributes->compute = (unsigned int)atoi(note->first);
    attributes->multiprocessors = (unsigned int)note->second;
    attributes->copy = 1;
    attributes->mib = device->total;
    return SUCCESS;
}

int nvmlDeviceGetGpuFabricInfoV(void *handle, struct fabric *fabric)
{
    struct device *device;
    struct note *note;
    int code = checked(handle, &device), i;
    unsigned int byte;
    if (code || !(note = noted("fabric", device->uuid, NULL)))
        return code ? code : NOT_SUPPORTED;
    for (i = 0; i < 16; i++) {
        sscanf(note->first + 2 * i, "%2x", &byte);
        fabric->cluster[i] = (unsigned char)byte;
    }
    fabric->clique = (unsigned int)note->second;
    fabric->state = 3; /* completed */
    return SUCCESS;
}

int nvmlDeviceGetRemappedRows(void *handle, unsigned int *corrected, unsigned int *uncorrected, unsigned int *pending,
                              unsigned int *failed)
{
    struct device *device;
    struct note *note;
    int code = checked(handle, &device);
    if (code)
        return code;
    note = noted("remapped", device->uuid, NULL);
    *corrected = *uncorrected = 0;
    *pending = note ? (unsigned int)atoi(note->first) : 0;
    *failed = note ? (unsigned int)note->second : 0;
    return SUCCESS;
}

int nvmlDeviceGetFieldValues(void *handle, int count, struct field *fields)
{
    struct device *device;
    struct note *note;
    int code = checked(handle, &device), i;
    if (code)
        return code;
    note = noted("recovery", device->uuid, NULL);
    for (i = 0; i < count; i++) {
        fields[i].code = fields[i].id == RECOVERY_ACTION ? SUCCESS : NOT_SUPPORTED;
        fields[i].value = note ? (unsigned int)atoi(note->first) : 0;
    }
    return SUCCESS;
}
#endif
