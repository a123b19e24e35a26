package dev.wclayer.cli;

import dev.wclayer.LayerProblem;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "lint", description = "List entries that lack what Windows needs (exit status 1: some do).")
final class LintCommand extends ProblemCommand {
    @Parameters(paramLabel = "ID", description = "The layer.")
    private String id;

    @Override
    List<LayerProblem> find(WindowsDriver driver) throws IOException {
        return driver.lint(id);
    }
}
