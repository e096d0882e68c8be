# %% [markdown]
# # Bayesian deep learning: the map of lessons
#
# What is the question, what does the model believe, and how do we know that it is right? Every
# lesson of this course asks these three. Each is a notebook on real data that takes 45 to 90
# minutes to work through.
#
# **Start here:** [neural_networks](neural_networks.ipynb). What does a network compute, and how does
# it learn from its errors? Who knows that already may start with
# [Bayesian neural networks on wine](bayesian_neural_networks_wine.ipynb): how sure is a network, and
# is it right to be?
#
# ## How to use a lesson
#
# 1. **Predict.** Where a lesson asks what you expect, say it or write it down before you run on.
# 2. **Run** the cells in order, with Shift+Enter. The first one takes some seconds.
# 3. **Look.** Were you right? A line that starts with ✓ is a claim, or a check, that has just held.
# 4. **Explain** what you saw, and solve the exercises: each has `.check(answer)`, `.hint()` and `.solution()`.
#
# `make lab` opens your own copies, in `my_lessons/`. Change them as you like: an update of the course
# never overwrites a copy in which you have changed something.

# %% [markdown]
# ## The lessons in order
#
# Each stands on those in the column *after*. Minutes are those of an honest reader who does every
# exercise: the core, and what is marked *further*. A planned lesson has no notebook yet.
#
# <!-- the map -->
#
# | | lesson | the question it answers | after | slides | minutes |
# | --- | --- | --- | --- | --- | --- |
# | 1 | [neural_networks](neural_networks.ipynb) | What is inside a neural network, and is there anything in it that you could not write yourself? | – | ASTRO | 90 + 40 |
# | 2 | [regularization](regularization.ipynb) | What keeps a network from learning by heart? | 1 | ASTRO | 90 + 25 |
# | 3 | [training_deep_networks](training_deep_networks.ipynb) | What keeps a deep network trainable? | 1 | ASTRO, NC | 85 + 30 |
# | 4 | [optimizers](optimizers.ipynb) | Which way down the loss is the fastest, and how would you know? | 1 | ASTRO | 90 + 45 |
# | 5 | [hyperparameters](hyperparameters.ipynb) | The best of 1,300 scores says .07: what is it really? | 2, 4 | ASTRO | 85 + 40 |
# | 6 | [convolutions](convolutions.ipynb) | What is gained by looking through a small window? | 1 | NC | 90 + 25 |
# | 7 | [resnet](resnet.ipynb) | A deeper network contains the shallower one. So why is it worse, even on its own training data? | 3, 4, 6 | ASTRO | 90 + 30 |
# | 8 | [transfer_learning](transfer_learning.ipynb) | When are somebody else's weights worth having? | 6 | ASTRO | 90 + 10 |
# | 9 | `recurrent` | How does a network remember what came before? | 1 | NC | planned |
# | 10 | [autoencoders](autoencoders.ipynb) | What is worth keeping of a picture? | 1 | BNN, NC, ASTRO | 110 + 5 |
# | 11 | [var_mod](var_mod.ipynb) | How probable is a picture, and where do new ones come from? | 10 | L4, BNN, NC, ASTRO | 90 + 35 |
# | 12 | `var_mod_applications` | What can one model that generates do, and who does each job better without it? | 11 | BNN, NC | planned |
# | 13 | `gan` | Without a likelihood, how do we know that it is right? | 11 | NC | planned |
# | 14 | [bayesian_neural_networks_wine](bayesian_neural_networks_wine.ipynb) | How much does a network not know, and does it know where? | 2 | L4, BNN, ASTRO | 90 + 75 |
# | 15 | [posteriors](posteriors.ipynb) | Where does each approximation of the posterior land, and does the miss matter? | 14 | BNN, ASTRO | 90 + 30 |
# | 16 | [flows](flows.ipynb) | Can we bend a simple density into the data's, without losing a grain of probability? | 11 | L4 | 110 + 40 |
# | 17 | `flows_applications` | What does an exact density promise, and what not? | 15, 16 | L4 | planned |
#
# Slides: **L4** Lecture 4, *Deep learning architectures*; **BNN** *Bayesian Neural Networks and VAE*; **NC** *Neural Computation Revision, Part 2*; **ASTRO** *Machine Learning for Astrophysics: Deep Learning*.
#
# <!-- end of the map -->
#
# Until the planned lessons are there, some others ask for the normal distribution and Bayes' rule from
# elsewhere.

# %% [markdown]
# ## Beside the lessons
#
# * [The data sets](../data/README.md): where they come from, what is odd about them, their licences
# * [For lecturers](../docs/lecturers.md): timing, exercises, what to prepare
# * [For contributors](../docs/contributors.md): how to add or change a lesson
