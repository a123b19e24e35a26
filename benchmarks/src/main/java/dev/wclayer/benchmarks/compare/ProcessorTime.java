package dev.wclayer.benchmarks.compare;

import com.sun.management.OperatingSystemMXBean;
import dev.wclayer.benchmarks.task.Task;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.List;

/**
 * The processor time that a task takes in this process, all its threads together. Neighbours who take the processor away
 * do not change it, so it shows needless work on a busy computer too, but no waiting.
 */
final class ProcessorTime implements Subject {
    private static final OperatingSystemMXBean SYSTEM =
            ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

    private final Task task;

    ProcessorTime(Task task) {
        this.task = task;
    }

    @Override
    public String name() {
        return task.name();
    }

    @Override
    public double measure() throws IOException {
        task.prepare();
        try {
            long begin = SYSTEM.getProcessCpuTime();
            task.run();
            return (SYSTEM.getProcessCpuTime() - begin) / 1e9;
        } finally {
            task.cleanup();
        }
    }

    @Override
    public List<String> contents() throws IOException {
        return task.contents();
    }
}
