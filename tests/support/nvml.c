/* A stand-in for NVIDIA's libnvidia-ml.so.1: what the real nvidia-ml-py asks of it, answered from an inventory
 * file (NVML_INVENTORY) that is read anew on each call, so that a test can pull a device or hang the driver
 * while a program runs. Own declarations; the names, numbers and structures are NVML's interface.
 *
 *   gpu  <uuid> <MiB> <MiB used> <name>        a device
 *   lost <uuid> <MiB> <MiB used> <name>        a device that has fallen off the bus
 *   mig  <uuid of the device> <uuid> <MiB> <profile>
 *   hang                                       no call returns
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15 };
enum { MOST_DEVICES = 64, FIRST_PART = 1000 };
#define MIB 1048576ULL

struct device {
    int lost;
    char uuid[96], parent[96], name[96];
    unsigned long long total, used;
};
struct memory { unsigned long long total, free, used; };
struct utilization { unsigned int gpu, memory; };

static struct device devices[MOST_DEVICES], parts[MOST_DEVICES];
static int device_count, part_count;

static void read_line(const char *line)
{
    struct device d = {0};
    char kind[16] = "";
    sscanf(line, "%15s", kind);
    while (strcmp(kind, "hang") == 0)
        pause();
    if (sscanf(line, "%*s %95s %llu %llu %95[^\n]", d.uuid, &d.total, &d.used, d.name) == 4 && strcmp(kind, "mig")) {
        d.lost = strcmp(kind, "lost") == 0;
        devices[device_count++] = d;
    } else if (sscanf(line, "mig %95s %95s %llu %95s", d.parent, d.uuid, &d.total, d.name) == 4) {
        parts[part_count++] = d;
    }
}

static int read_inventory(void)
{
    const char *path = getenv("NVML_INVENTORY");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[512];
    if (!file)
        return DRIVER_NOT_LOADED;
    device_count = part_count = 0;
    while (fgets(line, sizeof line, file) && device_count < MOST_DEVICES && part_count < MOST_DEVICES)
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

static int text(const char *from, char *to, unsigned int length)
{
    snprintf(to, length, "%s", from);
    return SUCCESS;
}

int nvmlInitWithFlags(unsigned int flags) { (void)flags; return read_inventory(); }
int nvmlInit_v2(void) { return read_inventory(); }
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
    return code;
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
