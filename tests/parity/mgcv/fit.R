# Fits the three cases of export.py with mgcv, at given smoothing parameters and at its own.
# Rscript fit.R FOLDER_OF_INPUTS FOLDER_OF_OUTPUTS

suppressMessages(library(mgcv))
folders <- commandArgs(trailingOnly = TRUE)
input <- function(name) read.csv(file.path(folders[1], name), stringsAsFactors = TRUE)
sales <- input("sales.csv")
knots <- input("knots.csv")
given <- input("smoothing.csv")

sales <- within(sales, {
  w <- log(carat)
  band <- factor(findInterval(carat, knots$at[knots$case == "grades" & knots$of == "band"]))
  y <- log(price)
})

# B-splines of mgcv's "ps", with divided differences at the Greville points as penalty.
smooth.construct.greville.smooth.spec <- function(object, data, knots) {
  object <- smooth.construct.ps.smooth.spec(object, data, knots)
  k <- object$knots
  i <- seq_len(object$bs.dim)
  at <- (k[i + 1] + k[i + 2] + k[i + 3]) / 3
  object$D <- diff(diff(diag(object$bs.dim)) / diff(at))
  object$S <- list(crossprod(object$D))
  object
}

# First differences between neighbouring grades.
stairs <- function(levels) {
  S <- crossprod(diff(diag(length(levels))))
  dimnames(S) <- list(levels, levels)
  list(penalty = S)
}
color <- stairs(c("J", "I", "H", "G", "F", "E", "D"))
cut <- stairs(c("Good", "Very Good", "Premium", "Ideal"))
band <- stairs(levels(sales$band))

# np = FALSE: the columns stay B-splines, and are not turned into values of the curve.
formulas <- list(
  curve = y ~ s(w, bs = "ps", m = c(2, 2), k = 14) + s(color, bs = "re"),
  surface = y ~ s(w, bs = "ps", m = c(2, 2), k = 9) + s(depth, bs = "ps", m = c(2, 2), k = 6) +
    s(color, bs = "mrf", xt = color) +
    ti(w, depth, bs = "ps", m = list(c(2, 2), c(2, 2)), k = c(9, 6), np = FALSE),
  grades = y ~ s(w, bs = "greville", k = 8) + s(band, bs = "mrf", xt = band) +
    s(color, bs = "mrf", xt = color) + s(cut, bs = "mrf", xt = cut) +
    s(depth, bs = "greville", k = 6) +
    ti(w, color, bs = c("greville", "mrf"), k = c(8, 7), xt = list(NULL, color), np = FALSE) +
    ti(depth, cut, bs = c("greville", "mrf"), k = c(6, 4), xt = list(NULL, cut), np = FALSE) +
    ti(band, color, bs = "mrf", k = c(3, 7), xt = list(band, color), np = FALSE)
)

scores <- terms <- chosen <- NULL
fitted <- data.frame(sale = seq_len(nrow(sales)))
for (case in names(formulas)) {
  of <- knots[knots$case == case, ]
  placed <- split(of$at, of$of, drop = TRUE)[c("w", intersect("depth", of$of))]
  fit <- function(...) {
    gam(formulas[[case]], data = sales, knots = placed, method = "REML",
        control = gam.control(newton = list(conv.tol = 1e-9, maxNstep = 5)), ...)
  }
  # mgcv scales a penalty in its own way; lambda is what multiplies a penalty whose largest
  # eigenvalue, after centring, is 1.
  smooths <- fit(fit = FALSE)$smooth
  # An interaction keeps all columns of its margins, or this would be another model.
  for (term in smooths) if (length(term$margin)) {
    widths <- sapply(term$margin, function(margin) ncol(margin$X))
    stopifnot(term$last.para - term$first.para + 1 == prod(widths))
  }
  largest <- unlist(lapply(smooths, function(term) {
    sapply(term$S, function(S) eigen(S, symmetric = TRUE, only.values = TRUE)$values[1])
  }))
  free <- fit()
  stopifnot(free$outer.info$conv == "full convergence")
  own <- free$sp * largest
  chosen <- rbind(chosen, data.frame(case, penalty = seq_along(own), lambda = own))
  mine <- given[given$case == case, ]
  sets <- c(split(mine$lambda, mine$set), list(chosen = own))
  for (set in names(sets)) {
    made <- fit(sp = sets[[set]] / largest)
    scores <- rbind(scores, data.frame(case, set, reml = as.numeric(made$gcv.ubre),
                                       edf = sum(made$edf), variance = made$sig2))
    each <- sapply(made$smooth, function(term) sum(made$edf[term$first.para:term$last.para]))
    terms <- rbind(terms, data.frame(case, set, term = seq_along(each), edf = each))
    if (set %in% c("fixed", "ours")) {
      fitted[[paste(case, set, "fit")]] <- as.numeric(made$fitted.values)
      fitted[[paste(case, set, "se")]] <- as.numeric(predict(made, se.fit = TRUE)$se.fit)
    }
  }
}

output <- function(table, name) {
  table[] <- lapply(table, function(column) {
    if (is.double(column)) formatC(column, digits = 14, format = "g", width = 1) else column
  })
  write.csv(table, file.path(folders[2], name), row.names = FALSE, quote = FALSE)
}
output(scores, "scores.csv")
output(terms, "terms.csv")
output(chosen, "chosen.csv")
output(fitted, "fitted.csv")
